-- Verify countinghouse:foreign_letters on pg
BEGIN;
SELECT letter_id, log_id, dlq_topic, dlq_part, dlq_offset, dialect, topic, at,
	came_back FROM ch.foreign_letters WHERE false;
SELECT log_id, part, next_offset, newest FROM ch.foreign_cursors WHERE false;
-- letters are inserted and never changed; a cursor never changes its log
SELECT 1 / has_table_privilege('ch_operator', 'ch.foreign_letters',
	'insert')::int,
	1 / (NOT has_table_privilege('ch_operator', 'ch.foreign_letters',
	'update, delete'))::int,
	1 / (NOT has_table_privilege('ch_relay', 'ch.foreign_letters',
	'insert'))::int,
	1 / (NOT has_column_privilege('ch_operator', 'ch.foreign_cursors',
	'log_id', 'update'))::int;
ROLLBACK;
