-- Revert countinghouse:health from pg
BEGIN;
DROP FUNCTION ch.health, ch.remember_health, ch.hot_ratio, ch.hot_counters,
	ch.hot_tables;
DROP TABLE ch.health_marks;
COMMIT;
