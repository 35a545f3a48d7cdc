-- Nothing is updated when another relay has claimed the row meanwhile. The
-- snapshot and position returned belong together: whatever the snapshot sees
-- was committed before the position. Durable when it is answered, in the middle
-- of a session that does not wait for the disk: the slot, which outlives a crash
-- of the server, is told the position next. With it a mark for each stream that
-- is further than ever, as it was at $9.
WITH saved AS (
	UPDATE relay_progress SET system_id = $3, timeline = $4, lsn = $5,
		streams = $6, log_seqs = $7, snapshot = $8::text::pg_snapshot,
		updated_at = clock_timestamp()
	FROM set_config('synchronous_commit', 'local', true)
	WHERE slot = $1 AND owner = $2
	RETURNING pg_current_snapshot()::text AS snapshot,
		pg_current_wal_insert_lsn() AS lsn
), marked AS (
	INSERT INTO delivery_marks (slot, stream, log_seq, at)
	SELECT $1, t.stream, t.log_seq, $9
	FROM saved, unnest($6::int4[], $7::int8[]) AS t (stream, log_seq)
	-- by the index, a stream at a time; an anti-join would read the table
	WHERE t.log_seq > coalesce((SELECT max(m.log_seq) FROM delivery_marks m
		WHERE m.slot = $1 AND m.stream = t.stream), 0)
)
SELECT snapshot, lsn FROM saved
