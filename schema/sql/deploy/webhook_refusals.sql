-- Deploy countinghouse:webhook_refusals to pg
-- When a delivery was refused without an attempt, by the relay's clock: last
-- by an outage or a quota, and first by a quota.

BEGIN;

ALTER TABLE ch.webhook_deliveries
	ADD COLUMN refused_at timestamptz,
	ADD COLUMN quota_since timestamptz;

COMMIT;
