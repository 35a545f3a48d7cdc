-- Refused, to be tried again in $5 ms; its key waits so long.
WITH tried AS (
	UPDATE webhook_deliveries SET attempts = $2, last_status = $3,
		last_response = $4
	WHERE delivery_id = $1 AND done_at IS NULL
	RETURNING endpoint, key_digest
)
UPDATE webhook_keys k
SET next_at = clock_timestamp() + $5::int8 * interval '1 millisecond',
	version = version + 1
FROM tried t WHERE k.endpoint = t.endpoint AND k.key_digest = t.key_digest
