-- Revert countinghouse:feed from pg
BEGIN;
DROP VIEW ch.trades_feed;
COMMIT;
