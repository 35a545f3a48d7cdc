-- Not taken for now ($4), which costs no attempt: its key goes behind the others
-- that are due. $6: by a quota. $7: what it answered. False: $1 is not the
-- delivery of event $2 to endpoint $3, nothing is written.
WITH refused AS (
	UPDATE webhook_deliveries SET refused_at = $4, last_status = $5::int4,
		last_response = $7,
		quota_since = CASE WHEN $6::bool THEN coalesce(quota_since, $4)
			ELSE quota_since END
	WHERE delivery_id = $1 AND event_id = $2 AND endpoint = $3
	AND done_at IS NULL
	RETURNING endpoint, key_digest
), keyed AS (
	UPDATE webhook_keys k SET next_at = clock_timestamp(),
		version = version + 1
	FROM refused r WHERE k.endpoint = r.endpoint
	AND k.key_digest = r.key_digest
)
SELECT EXISTS (SELECT FROM webhook_deliveries WHERE delivery_id = $1
	AND event_id = $2 AND endpoint = $3)
