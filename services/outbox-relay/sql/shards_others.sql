-- Into how many shards other relays of slot $1 cut the table, which we cut
-- into $2; no row: there are none.
SELECT n FROM generate_series(1, $3::int4) n
WHERE n <> $2::int4 AND EXISTS (
	SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted
	AND l.database = (SELECT oid FROM pg_database
		WHERE datname = current_database())
	AND l.classid::int8 = 17227 AND l.objid::int8 =
		hashtext($1::text || '/' || n)::int8 & 4294967295)
LIMIT 1
