-- Verify countinghouse:pauses on pg
BEGIN;
SELECT scope, types, reason, actor, number FROM ch.pauses WHERE false;
SELECT 1 / has_function_privilege('ch_operator',
	'ch.pause(text, text[], text, text, interval, int4, boolean, boolean)',
	'execute')::int;
SELECT 1 / (NOT has_function_privilege('ch_writer',
	'ch.pause(text, text[], text, text, interval, int4, boolean, boolean)',
	'execute'))::int;
ROLLBACK;
