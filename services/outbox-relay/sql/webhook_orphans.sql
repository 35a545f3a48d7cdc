-- Endpoints with deliveries that are not done, and no running relay of this
-- schema has them (endpoints_own.sql): how many, counted up to a bound.
WITH RECURSIVE pending AS (
	(SELECT endpoint FROM webhook_deliveries WHERE done_at IS NULL
	ORDER BY endpoint LIMIT 1)
	UNION ALL
	SELECT (SELECT d.endpoint FROM webhook_deliveries d
		WHERE d.done_at IS NULL AND d.endpoint > p.endpoint
		ORDER BY d.endpoint LIMIT 1)
	FROM pending p WHERE p.endpoint IS NOT NULL
)
SELECT p.endpoint, (SELECT count(*) FROM (SELECT FROM webhook_deliveries d
	WHERE d.endpoint = p.endpoint AND d.done_at IS NULL LIMIT 10000) counted)
FROM pending p
WHERE p.endpoint IS NOT NULL AND NOT EXISTS (SELECT FROM pg_locks l
	WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
	AND l.database = (SELECT oid FROM pg_database
		WHERE datname = current_database())
	AND (l.classid::int8 << 32) | l.objid::int8 = hashtextextended(
		'countinghouse webhook ' || p.endpoint,
		'webhook_deliveries'::regclass::oid::bigint))
ORDER BY p.endpoint LIMIT 100
