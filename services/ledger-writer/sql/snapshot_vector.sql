-- $1 snapshot_id
SELECT topic, part, next_offset, next_log_seq, taken_at::text
FROM snapshots JOIN snapshot_streams USING (snapshot_id)
WHERE snapshot_id = $1 ORDER BY topic, part
