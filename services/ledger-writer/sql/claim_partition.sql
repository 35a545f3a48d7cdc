-- One autocommit statement: it waits for the old owner's transaction, and
-- from then on that owner's fence finds no row.
-- $1 topic, $2 part, $3 owner's name
UPDATE consumer_partitions SET epoch = epoch + 1, owner = $3,
	backend_pid = pg_backend_pid(),
	backend_start = (SELECT a.backend_start FROM pg_stat_activity a
		WHERE a.pid = pg_backend_pid())
WHERE topic = $1 AND part = $2
RETURNING epoch, next_offset, next_log_seq, stream, cluster_id, topic_id,
	coalesce(upper(decided), 0), coalesce(cut_at, -1), leader_epoch
