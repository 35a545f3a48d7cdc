-- Refused, to be tried again in $8 ms; its key waits so long. False: $1 is not
-- the delivery of event $2 to endpoint $3, put back so often ($4), and nothing is
-- written.
WITH tried AS (
	UPDATE webhook_deliveries SET attempts = $5, last_status = $6,
		last_response = $7
	WHERE delivery_id = $1 AND event_id = $2 AND endpoint = $3
	AND replays = $4 AND done_at IS NULL
	RETURNING endpoint, key_digest
), keyed AS (
	UPDATE webhook_keys k
	SET next_at = clock_timestamp() + $8::int8 * interval '1 millisecond',
		version = version + 1
	FROM tried t WHERE k.endpoint = t.endpoint
	AND k.key_digest = t.key_digest
)
SELECT EXISTS (SELECT FROM webhook_deliveries WHERE delivery_id = $1
	AND event_id = $2 AND endpoint = $3 AND replays = $4)
