INSERT INTO foreign_cursors AS c (log_id, part, cluster, topic, next_offset,
	newest)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (log_id, part) DO UPDATE SET
	next_offset = greatest(c.next_offset, excluded.next_offset),
	newest = greatest(c.newest, excluded.newest),
	updated_at = clock_timestamp()
