-- Makes the slot's row ours and reads it as the last owner left it.
WITH old AS (
	SELECT * FROM relay_progress WHERE slot = $1
), claimed AS (
	INSERT INTO relay_progress AS p (slot, owner) VALUES ($1, $2)
	ON CONFLICT (slot) DO UPDATE SET owner = excluded.owner
	RETURNING p.slot
)
SELECT coalesce(old.owner, ''), coalesce(old.system_id, ''),
	coalesce(old.timeline, 0), old.lsn,
	coalesce(old.streams, '{}'), coalesce(old.log_seqs, '{}'),
	old.snapshot::text
FROM claimed LEFT JOIN old USING (slot)
