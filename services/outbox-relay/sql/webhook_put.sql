-- Events for endpoints, in their order; what was given before is passed over: the
-- same id and content; of what was given before contents were kept, the same id
-- and key. How many have an id that another event has, and one of these ids. A
-- key's first version is the time: whoever saw it empty in a former life, and
-- wakes up to take it out, has none of this one's.
WITH given AS (
	SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::text[],
		$5::text[], $6::text[], $7::bytea[], $8::text[],
		$9::timestamptz[], $10::int4[]) WITH ORDINALITY
	AS t(endpoint, key_digest, record_key, event_id, aggregatetype, type,
		body, traceparent, at, content, place)
), fresh AS (
	INSERT INTO webhook_deliveries (endpoint, event_id, webhook_id,
		key_digest, record_key, aggregatetype, type, body, traceparent,
		at, content)
	SELECT g.endpoint, g.event_id, g.event_id, g.key_digest, g.record_key,
		g.aggregatetype, g.type, g.body, g.traceparent, g.at, g.content
	FROM given g
	-- LIMIT: by the index, whatever the planner thinks of the table
	LEFT JOIN LATERAL (SELECT true AS known FROM webhook_deliveries w
		WHERE w.endpoint = g.endpoint AND w.event_id = g.event_id
		AND w.content IS NULL AND w.key_digest = g.key_digest
		LIMIT 1) o ON true
	WHERE o.known IS NULL ORDER BY g.place
	ON CONFLICT (endpoint, event_id, content) DO NOTHING
	RETURNING delivery_id, endpoint, event_id, key_digest, content
), keyed AS (
	INSERT INTO webhook_keys AS k (endpoint, key_digest, version)
	SELECT DISTINCT endpoint, key_digest,
		(extract(epoch FROM now()) * 1000000)::int8
	FROM fresh ORDER BY 1, 2
	ON CONFLICT (endpoint, key_digest) DO UPDATE SET version = k.version + 1
)
SELECT count(*), min(f.event_id)
FROM (SELECT *, row_number() OVER (PARTITION BY endpoint, event_id
		ORDER BY delivery_id) AS nth FROM fresh WHERE content <> 0) f
LEFT JOIN LATERAL (SELECT true AS known FROM webhook_deliveries w
	WHERE w.endpoint = f.endpoint AND w.event_id = f.event_id LIMIT 1) o ON true
WHERE f.nth > 1 OR o.known
