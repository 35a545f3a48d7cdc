-- Is the endpoint of target $1 known to be nobody's? Each slot's relay runs and leads
-- (lock_try.sql), and none of them has it (endpoints_own.sql). Where one is down,
-- it may be that one's.
WITH locks AS MATERIALIZED (
	SELECT l.classid::int8, l.objid::int8, l.objsubid FROM pg_locks l
	WHERE l.locktype = 'advisory' AND l.granted AND l.database = (
		SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT NOT EXISTS (SELECT FROM locks WHERE objsubid = 1
		AND (classid << 32) | objid = hashtextextended(
		'countinghouse webhook ' || substr($1, length('webhook:') + 1),
		'webhook_deliveries'::regclass::oid::bigint))
	AND EXISTS (SELECT FROM relay_progress)
	AND NOT EXISTS (SELECT FROM relay_progress p WHERE NOT EXISTS (
		SELECT FROM locks WHERE objsubid = 2 AND classid = 17225
		AND objid = hashtext(p.slot)::int8 & 4294967295))
