-- Verify countinghouse:reconcile on pg
BEGIN;
SELECT break_key, check_name, org, subject, expected, found, difference,
	first_seen, last_seen, state, pause FROM ch.breaks WHERE false;
SELECT gen, posted, n FROM ch.ledger_buckets WHERE false;
SELECT 1 / (count(*) = 1)::int FROM ch.reconcile_progress;
SELECT stream, base, verified FROM ch.reconcile_streams WHERE false;
SELECT break_key, org, subject, expected, found, difference FROM (
	TABLE ch.check_transfers UNION ALL TABLE ch.check_balances
	UNION ALL TABLE ch.check_stock UNION ALL TABLE ch.check_floors
	UNION ALL TABLE ch.check_log_seq) c WHERE false;
-- a break is never deleted, and the reconciler changes no balance
SELECT 1 / (NOT has_table_privilege('ch_reconciler', 'ch.breaks', 'delete'))::int;
SELECT 1 / (NOT has_table_privilege('ch_reconciler', 'ch.balances', 'update'))::int;
-- it tells breaks, and no pause, no resume and no result
SELECT 1 / (NOT has_any_column_privilege('ch_reconciler', 'ch.' || t,
	'insert, update'))::int
FROM unnest(ARRAY['outbox', 'audit_events', 'pauses']) AS t;
ROLLBACK;
