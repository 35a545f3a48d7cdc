-- Verify countinghouse:pauses on pg
BEGIN;
SELECT scope, types, reason, actor, number FROM ch.pauses WHERE false;
SELECT 1 / has_function_privilege('ch_operator',
	'ch.pause(text, text[], text, text, interval, int4, boolean, boolean)',
	'execute')::int;
SELECT 1 / (NOT has_function_privilege('ch_writer',
	'ch.pause(text, text[], text, text, interval, int4, boolean, boolean)',
	'execute'))::int;
-- a daemon pauses, and takes no pause back
SELECT 1 / (has_function_privilege('ch_reconciler',
	'ch.pause_more(text, text, text)', 'execute')
	AND NOT has_function_privilege('ch_reconciler', p.oid, 'execute'))::int
FROM pg_proc p WHERE p.pronamespace = 'ch'::regnamespace
	AND p.proname IN ('pause', 'resume');
-- nobody but writers takes the pause lock, and they not exclusive
SELECT 1 / (has_table_privilege(r, 'ch.pause_lock', 'insert') =
	(r = 'ch_writer') AND NOT has_table_privilege(r, 'ch.pause_lock',
	'update, delete, truncate'))::int
FROM unnest(ARRAY['ch_writer', 'ch_relay', 'ch_reconciler', 'ch_cache',
	'ch_reader', 'ch_operator']) AS r;
ROLLBACK;
