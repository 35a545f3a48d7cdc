-- Revert countinghouse:trades from pg
BEGIN;
DROP TABLE ch.trades_public;
DELETE FROM ch.retention WHERE table_name = 'trades_public';
COMMIT;
