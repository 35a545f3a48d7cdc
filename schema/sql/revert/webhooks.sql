-- Revert countinghouse:webhooks from pg
BEGIN;
SET LOCAL search_path = ch;
DROP VIEW blocked_keys;
DROP TABLE webhook_keys, webhook_deliveries;
COMMIT;
