-- A partition never read before begins where its log begins.
-- $1 topic, $2 part, $3 epoch, $4 first offset of the log
UPDATE consumer_partitions SET next_offset = $4, begun_at = $4
WHERE topic = $1 AND part = $2 AND epoch = $3
	AND next_offset = 0 AND next_log_seq = 1
RETURNING next_offset
