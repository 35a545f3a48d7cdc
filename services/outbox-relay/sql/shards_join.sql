-- Two locks for as long as the session lives, shared: against a relay that
-- reads the table whole, and as a member of those that cut it into $2 shards.
SELECT CASE WHEN pg_try_advisory_lock_shared(17225, hashtext($1))
	THEN pg_try_advisory_lock_shared(17227, hashtext($1 || '/' || $2::int4))
	ELSE false END
