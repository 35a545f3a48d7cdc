-- Verify countinghouse:command_log on pg
BEGIN;
SELECT epoch, next_offset, next_log_seq FROM ch.consumer_partitions WHERE false;
SELECT org_id, id, day, status, result FROM ch.command_log WHERE false;
SELECT stream, log_seq, result FROM ch.answers WHERE false;
SELECT stream, log_seq, letter_id, value FROM ch.rejected WHERE false;
SELECT seq, id, payload, xid FROM ch.outbox WHERE false;
SELECT 1 / (NOT has_table_privilege('ch_writer', 'ch.command_log', 'update'))::int;
-- a partition for today and for tomorrow
SELECT 1 / (to_regclass('ch.' || ch.partition_name(t, d)) IS NOT NULL)::int
	FROM unnest(ARRAY['command_log', 'answers', 'rejected', 'outbox']) AS t,
	unnest(ARRAY[(now() AT TIME ZONE 'UTC')::date,
		(now() AT TIME ZONE 'UTC')::date + 1]) AS d;
ROLLBACK;
