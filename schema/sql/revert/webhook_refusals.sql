-- Revert countinghouse:webhook_refusals from pg
BEGIN;
ALTER TABLE ch.webhook_deliveries
	DROP COLUMN refused_at,
	DROP COLUMN quota_since;
COMMIT;
