-- Nothing is updated when another relay has claimed the row meanwhile. The
-- snapshot and position returned belong together: whatever the snapshot sees
-- was committed before the position. Durable when it is answered, in the middle
-- of a session that does not wait for the disk: the slot, which outlives a crash
-- of the server, is told the position next.
UPDATE relay_progress SET system_id = $3, timeline = $4, lsn = $5,
	streams = $6, log_seqs = $7, snapshot = $8::text::pg_snapshot,
	updated_at = clock_timestamp()
FROM set_config('synchronous_commit', 'local', true)
WHERE slot = $1 AND owner = $2
RETURNING pg_current_snapshot()::text, pg_current_wal_insert_lsn()
