-- Verify countinghouse:health on pg
BEGIN;
SELECT 1 / (count(*) > 10)::int FROM ch.health('verify', false);
SELECT 1 / ok::int FROM ch.health('verify', false)
	WHERE name = 'missing_partitions';
SELECT 1 / has_function_privilege(r, 'ch.health(text, boolean)', 'execute')::int
	FROM unnest(ARRAY['ch_writer', 'ch_reconciler', 'ch_operator']) AS r;
SELECT 1 / (NOT has_function_privilege('ch_reader', 'ch.health(text, boolean)',
	'execute'))::int;
ROLLBACK;
