-- Events for endpoints, in their order; what was given before is passed over. A
-- key's first version is the time: whoever saw it empty in a former life, and
-- wakes up to take it out, has none of this one's.
WITH given AS (
	SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::text[],
		$5::text[], $6::text[], $7::bytea[], $8::text[],
		$9::timestamptz[]) WITH ORDINALITY
	AS t(endpoint, key_digest, record_key, event_id, aggregatetype, type,
		body, traceparent, at, place)
), fresh AS (
	INSERT INTO webhook_deliveries (endpoint, event_id, webhook_id,
		key_digest, record_key, aggregatetype, type, body, traceparent,
		at)
	SELECT endpoint, event_id, event_id, key_digest, record_key,
		aggregatetype, type, body, traceparent, at
	FROM given ORDER BY place
	ON CONFLICT (endpoint, event_id) DO NOTHING
	RETURNING endpoint, key_digest
), keyed AS (
	INSERT INTO webhook_keys AS k (endpoint, key_digest, version)
	SELECT DISTINCT endpoint, key_digest,
		(extract(epoch FROM now()) * 1000000)::int8
	FROM fresh ORDER BY 1, 2
	ON CONFLICT (endpoint, key_digest) DO UPDATE SET version = k.version + 1
)
SELECT count(*) FROM fresh
