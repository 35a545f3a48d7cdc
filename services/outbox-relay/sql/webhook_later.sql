-- Not taken for now ($5), which costs no attempt: its key goes behind the others
-- that are due. $7: by a quota. $8: what it answered. False: $1 is not the
-- delivery of event $2 to endpoint $3, put back so often ($4), and nothing is
-- written.
WITH refused AS (
	UPDATE webhook_deliveries SET refused_at = $5, last_status = $6::int4,
		last_response = $8,
		quota_since = CASE WHEN $7::bool THEN coalesce(quota_since, $5)
			ELSE quota_since END
	WHERE delivery_id = $1 AND event_id = $2 AND endpoint = $3
	AND replays = $4 AND done_at IS NULL
	RETURNING endpoint, key_digest
), keyed AS (
	UPDATE webhook_keys k SET next_at = clock_timestamp(),
		version = version + 1
	FROM refused r WHERE k.endpoint = r.endpoint
	AND k.key_digest = r.key_digest
)
SELECT EXISTS (SELECT FROM webhook_deliveries WHERE delivery_id = $1
	AND event_id = $2 AND endpoint = $3 AND replays = $4)
