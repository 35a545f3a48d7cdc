-- Snapshots before the newest $4 verified ones go.
-- $1 actor, $2 reason, $3 dry run, $4 how many stay
SELECT s.snapshot_id, drop_snapshot(s.snapshot_id, $1, $2, $3)
FROM snapshots s WHERE s.snapshot_id < (SELECT min(k.snapshot_id) FROM (
	SELECT v.snapshot_id FROM snapshots v WHERE v.verified_at IS NOT NULL
	ORDER BY v.snapshot_id DESC LIMIT $4) k)
ORDER BY s.snapshot_id
