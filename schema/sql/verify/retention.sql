-- Verify countinghouse:retention on pg
BEGIN;
SELECT table_name, day, file, sha256, row_count, tops, read_back_at FROM ch.archives
	WHERE false;
SELECT 1 / (needs_snapshot AND needs_delivery AND needs_archive)::int
	FROM ch.retention WHERE table_name = 'command_log';
SELECT 1 / (needs_snapshot AND needs_archive)::int
	FROM ch.retention WHERE table_name = 'postings';
SELECT 1 / (keep_days >= least_days)::int FROM ch.retention;
-- nothing of today may go, and every table has its days
SELECT 1 / (count(*) > 0)::int FROM ch.retention_status();
SELECT 1 / (NOT may_go)::int FROM ch.retention_status()
	WHERE day >= (now() AT TIME ZONE 'UTC')::date;
-- operators drop by the functions only
SELECT 1 / has_function_privilege('ch_operator',
	'ch.drop_day(text, date, text, text, boolean, int4)', 'execute')::int;
SELECT 1 / (NOT has_function_privilege(r,
	'ch.drop_day(text, date, text, text, boolean, int4)', 'execute'))::int
	FROM unnest(ARRAY['ch_writer', 'ch_reader', 'ch_relay', 'ch_cache']) AS r;
SELECT 1 / (NOT has_function_privilege('ch_reconciler',
	'ch.drop_due_days(text, text, text, boolean)', 'execute'))::int;
SELECT 1 / (NOT has_function_privilege('ch_operator',
	'ch.finish_drop(text, date, text, text)', 'execute'))::int;
SELECT 1 / (NOT has_table_privilege('ch_operator', t, p))::int
	FROM unnest(ARRAY['ch.archives', 'ch.retention', 'ch.sealed_postings'])
	AS t, unnest(ARRAY['insert', 'update', 'delete']) AS p;
ROLLBACK;
