-- Revert countinghouse:command_log from pg
BEGIN;
SET LOCAL search_path = ch;
DROP TABLE outbox, rejected, answers, command_log, consumer_partitions;
DELETE FROM retention
	WHERE table_name IN ('command_log', 'answers', 'rejected', 'outbox');
COMMIT;
