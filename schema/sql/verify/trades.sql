-- Verify countinghouse:trades on pg
BEGIN;
SELECT trade_id, traded_at, price, size FROM ch.trades_public WHERE false;
ROLLBACK;
