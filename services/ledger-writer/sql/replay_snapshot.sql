-- A snapshot; $2: the latest time that may be asked for (NULL: now).
SELECT s.batch_high, s.verified_at IS NOT NULL, s.taken_at::text,
	EXISTS (SELECT FROM source_snapshot_streams v
		WHERE v.snapshot_id = s.snapshot_id AND v.last_at > $2)
FROM source_snapshots s WHERE s.snapshot_id = $1
