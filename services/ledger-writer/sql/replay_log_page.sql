-- The next rows of a stream. $1 stream, $2 from log_seq, $3 below log_seq,
-- $4 at most so many
SELECT log_seq, batch, pos, source = 'timer', src_offset, decided_at, org_id,
	id, type, status, payload_hash, record_key, command, result,
	changes
FROM command_log
WHERE stream = $1 AND log_seq >= $2 AND log_seq < $3
ORDER BY log_seq LIMIT $4
