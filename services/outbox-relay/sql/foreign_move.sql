-- Never back, unless the log has lost its end.
INSERT INTO foreign_cursors AS c (log_id, part, cluster, topic, next_offset,
	newest)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (log_id, part) DO UPDATE SET
	next_offset = CASE WHEN $7 THEN excluded.next_offset
		ELSE greatest(c.next_offset, excluded.next_offset) END,
	newest = greatest(c.newest, excluded.newest),
	updated_at = clock_timestamp()
