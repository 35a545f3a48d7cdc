-- Verify countinghouse:letter_pruning on pg
BEGIN;
SELECT 1 / has_function_privilege('ch_operator',
	'ch.prune_letters(int4, text, text, boolean, int4)', 'execute')::int,
	1 / (NOT has_function_privilege('ch_relay',
	'ch.prune_letters(int4, text, text, boolean, int4)', 'execute'))::int;
ROLLBACK;
