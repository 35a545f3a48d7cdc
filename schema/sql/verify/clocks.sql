-- Verify countinghouse:clocks on pg
BEGIN;
SELECT 1 / has_function_privilege('ch_operator',
	'ch.set_back_times(text, text, boolean)', 'execute')::int,
	1 / (NOT has_function_privilege('ch_writer',
	'ch.set_back_times(text, text, boolean)', 'execute'))::int;
ROLLBACK;
