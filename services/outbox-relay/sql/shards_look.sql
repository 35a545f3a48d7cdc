-- Of those who share slot $1 in $2 shards: how many they are, how many shards
-- the one with the fewest has, and how many shards nobody has.
WITH held AS (
	SELECT l.pid, l.classid::int8 AS class, l.objid::int8 AS obj
	FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted
	AND l.database = (SELECT oid FROM pg_database
		WHERE datname = current_database())
), shard AS (
	SELECT h.pid FROM generate_series(0, $2::int4 - 1) i
	LEFT JOIN held h ON h.class = 17226 AND h.obj =
		hashtext($1::text || '/' || $2::int4 || '/' || i)::int8
			& 4294967295
), member AS (
	SELECT m.pid, (SELECT count(*) FROM shard s WHERE s.pid = m.pid) AS has
	FROM held m WHERE m.class = 17227 AND m.obj =
		hashtext($1::text || '/' || $2::int4)::int8 & 4294967295
)
SELECT (SELECT count(*) FROM member)::int4,
	(SELECT coalesce(min(has), 0) FROM member)::int4,
	(SELECT count(*) FROM shard WHERE pid IS NULL)::int4
