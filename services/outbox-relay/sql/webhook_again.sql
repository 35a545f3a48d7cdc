-- Refused, to be tried again in $7 ms; its key waits so long. False: $1 is not
-- the delivery of event $2 to endpoint $3, nothing is written.
WITH tried AS (
	UPDATE webhook_deliveries SET attempts = $4, last_status = $5,
		last_response = $6
	WHERE delivery_id = $1 AND event_id = $2 AND endpoint = $3
	AND done_at IS NULL
	RETURNING endpoint, key_digest
), keyed AS (
	UPDATE webhook_keys k
	SET next_at = clock_timestamp() + $7::int8 * interval '1 millisecond',
		version = version + 1
	FROM tried t WHERE k.endpoint = t.endpoint
	AND k.key_digest = t.key_digest
)
SELECT EXISTS (SELECT FROM webhook_deliveries WHERE delivery_id = $1
	AND event_id = $2 AND endpoint = $3)
