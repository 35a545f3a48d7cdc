-- Verify countinghouse:invariants on pg
BEGIN;
SELECT break_key, org, subject, expected, found, difference FROM (
	TABLE ch.check_held UNION ALL TABLE ch.check_orders
	UNION ALL TABLE ch.check_markets UNION ALL TABLE ch.check_references) c
	WHERE false;
SELECT 1 / (NOT has_table_privilege('ch_reader', v, 'select'))::int
	FROM unnest(ARRAY['ch.check_held', 'ch.check_orders', 'ch.check_markets',
	'ch.check_references', 'ch.check_balances']) AS v;
ROLLBACK;
