-- What a round may read of the outbox: what this snapshot sees; and, when all of
-- it is read ($1), up to this seq. What it sees later has its place elsewhere.
SELECT pg_current_snapshot()::text,
	CASE WHEN $1 THEN (SELECT max(seq) FROM outbox) END
