-- Verify countinghouse:foreign_letters on pg
BEGIN;
SELECT letter_id, log_id, dlq_topic, dlq_part, dlq_offset, dialect, topic, at,
	came_back, imported_role FROM ch.foreign_letters WHERE false;
SELECT log_id, part, next_offset, newest FROM ch.foreign_cursors WHERE false;
-- letters and cursors are written by functions alone
SELECT 1 / (NOT has_table_privilege(who, 'ch.' || t, 'update, delete')
	AND NOT has_any_column_privilege(who, 'ch.' || t, 'insert, update'))::int
FROM unnest(ARRAY['ch_operator', 'ch_relay']) AS who,
	unnest(ARRAY['foreign_letters', 'foreign_cursors']) AS t;
ROLLBACK;
