-- Taken by its endpoint. Not durable at once: what a crash of the server loses
-- is sent again, with its id. A letter that it was put back from is resolved.
-- False: $1 is not the delivery of event $2 to endpoint $3, put back so often
-- ($4), and nothing is written.
WITH letter AS MATERIALIZED (
	-- before its id is taken out of the delivery
	SELECT count(letter_delivered(d.delivery_id)) FROM webhook_deliveries d
	WHERE d.delivery_id = $1 AND d.event_id = $2 AND d.endpoint = $3
	AND d.replays = $4 AND d.done_at IS NULL AND d.letter_id IS NOT NULL
), done AS (
	UPDATE webhook_deliveries SET done_at = clock_timestamp(), body = NULL,
		letter_id = NULL, last_status = $5, last_response = NULL
	FROM letter WHERE delivery_id = $1 AND event_id = $2 AND endpoint = $3
	AND replays = $4 AND done_at IS NULL
	RETURNING endpoint, key_digest
), keyed AS (
	UPDATE webhook_keys k SET next_at = clock_timestamp(),
		version = version + 1
	FROM done d WHERE k.endpoint = d.endpoint
	AND k.key_digest = d.key_digest
)
SELECT EXISTS (SELECT FROM webhook_deliveries WHERE delivery_id = $1
	AND event_id = $2 AND endpoint = $3 AND replays = $4),
	set_config('synchronous_commit', 'off', true)
