-- Verify countinghouse:feed on pg
BEGIN;
SELECT trade_id, traded_at, condition_id, price, size FROM ch.trades_feed
	WHERE false;
SELECT 1 / has_table_privilege(r, 'ch.trades_feed', 'select')::int
	FROM unnest(ARRAY['ch_cache', 'ch_reader', 'ch_operator']) AS r;
SELECT 1 / has_column_privilege('ch_cache', 'ch.ledger_markets', 'last_at',
	'select')::int;
SELECT 'ch.ledger_markets_resolved'::regclass;
ROLLBACK;
