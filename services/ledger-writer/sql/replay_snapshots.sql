-- The newest snapshots, for who named one that is not there; NULL: none.
SELECT string_agg(format('%s of %s%s', s.snapshot_id,
	s.taken_at::timestamptz(0), CASE WHEN s.verified_at IS NULL THEN
	' (not verified)' ELSE '' END), ', ' ORDER BY s.snapshot_id DESC)
FROM (SELECT * FROM source_snapshots ORDER BY snapshot_id DESC LIMIT 5) s
