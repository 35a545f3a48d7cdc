-- Verify countinghouse:webhook_refusals on pg
BEGIN;
SELECT refused_at, quota_since FROM ch.webhook_deliveries WHERE false;
ROLLBACK;
