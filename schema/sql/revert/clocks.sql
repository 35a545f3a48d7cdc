-- Revert countinghouse:clocks from pg
BEGIN;
DROP FUNCTION ch.set_back_times, ch.timed_tables;
COMMIT;
