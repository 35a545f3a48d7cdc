-- Endpoints with deliveries that are not done: how many, counted up to a bound, since
-- when, and who has them: a running relay (endpoints_own.sql); nobody; or nobody
-- knows, as a relay of this schema does not run (endpoint_missing.sql).
WITH RECURSIVE pending AS (
	(SELECT endpoint FROM webhook_deliveries WHERE done_at IS NULL
	ORDER BY endpoint LIMIT 1)
	UNION ALL
	SELECT (SELECT d.endpoint FROM webhook_deliveries d
		WHERE d.done_at IS NULL AND d.endpoint > p.endpoint
		ORDER BY d.endpoint LIMIT 1)
	FROM pending p WHERE p.endpoint IS NOT NULL
), locks AS MATERIALIZED (
	SELECT l.classid::int8, l.objid::int8, l.objsubid FROM pg_locks l
	WHERE l.locktype = 'advisory' AND l.granted AND l.database = (
		SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT p.endpoint, (SELECT count(*) FROM (SELECT FROM webhook_deliveries d
	WHERE d.endpoint = p.endpoint AND d.done_at IS NULL LIMIT 100000) counted),
	(SELECT d.at FROM webhook_deliveries d
	WHERE d.endpoint = p.endpoint AND d.done_at IS NULL
	ORDER BY d.delivery_id LIMIT 1),
	CASE WHEN EXISTS (SELECT FROM locks WHERE objsubid = 1
		AND (classid << 32) | objid = hashtextextended(
		'countinghouse webhook ' || p.endpoint,
		'webhook_deliveries'::regclass::oid::bigint)) THEN 'relay'
	WHEN EXISTS (SELECT FROM relay_progress r WHERE NOT EXISTS (
		SELECT FROM locks WHERE objsubid = 2 AND classid = 17225
		AND objid = hashtext(r.slot)::int8 & 4294967295)) THEN 'unknown'
	ELSE 'nobody' END
FROM pending p WHERE p.endpoint IS NOT NULL
AND ($1::text IS NULL OR p.endpoint = $1)
ORDER BY p.endpoint LIMIT $2
