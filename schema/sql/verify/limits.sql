-- Verify countinghouse:limits on pg
BEGIN;
SELECT 1 / has_function_privilege('ch_operator', f, 'execute')::int,
	1 / (NOT has_function_privilege('ch_writer', f, 'execute'))::int,
	1 / (NOT has_function_privilege('ch_reader', f, 'execute'))::int
FROM unnest(ARRAY['ch.set_rate_rule(text, text, text, text[], int4, interval, '
	'int4, text, text, int4, boolean)',
	'ch.drop_rate_rule(text, text, text, int4, boolean)',
	'ch.drop_quiet_windows(text, text, boolean)'])
	AS f;
SELECT 1 / (NOT has_table_privilege('ch_operator', 'ch.rate_rules', p))::int
	FROM unnest(ARRAY['insert', 'update', 'delete']) AS p;
ROLLBACK;
