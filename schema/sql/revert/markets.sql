-- Revert countinghouse:markets from pg
BEGIN;
DROP TABLE ch.markets;
COMMIT;
