-- Revert countinghouse:restarts from pg
BEGIN;
DROP FUNCTION ch.restart_partition, ch.end_partition_owner, ch.partition_owner,
	ch.decided_offsets;
COMMIT;
