-- Verify countinghouse:restarts on pg
BEGIN;
SELECT 1 / (has_function_privilege(r, 'ch.restart_partition(text, int4, int8, '
	'text, text, boolean, boolean)', 'execute') = (r = 'ch_operator'))::int
	FROM unnest(ARRAY['ch_operator', 'ch_writer', 'ch_relay', 'ch_reconciler',
		'ch_cache', 'ch_reader']) AS r;
SELECT 1 / (NOT has_table_privilege('ch_operator', 'ch.consumer_partitions',
	'update'))::int;
ROLLBACK;
