-- Makes the slot's row ours and reads it as the last owner left it; then which
-- history of which system this server writes, as IDENTIFY_SYSTEM says it, since
-- when its process runs, and how far its WAL goes.
WITH old AS (
	SELECT * FROM relay_progress WHERE slot = $1
), claimed AS (
	INSERT INTO relay_progress AS p (slot, owner) VALUES ($1, $2)
	ON CONFLICT (slot) DO UPDATE SET owner = excluded.owner
	RETURNING p.slot
)
SELECT coalesce(old.owner, ''),
	-- unsigned there, signed here
	mod(system_identifier + 18446744073709551616, 18446744073709551616)::text,
	('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)
		::int4,
	(extract(epoch FROM pg_postmaster_start_time()) * 1000000)::int8,
	pg_current_wal_lsn(),
	coalesce(old.system_id, ''), coalesce(old.timeline, 0), old.lsn,
	coalesce(old.streams, '{}'), coalesce(old.log_seqs, '{}'),
	old.snapshot::text
FROM claimed LEFT JOIN old USING (slot), pg_control_system()
