-- At most $4 of the $2 shards of slot $1 that nobody has; $3 are ours already,
-- and a session may lock the same twice. In any order, or all would try the
-- same ones first.
SELECT f.i FROM (
	SELECT i FROM generate_series(0, $2::int4 - 1) i
	WHERE i <> ALL ($3::int4[]) ORDER BY random() OFFSET 0
) f
WHERE pg_try_advisory_lock(17226,
	hashtext($1::text || '/' || $2::int4 || '/' || f.i))
LIMIT $4::int4
