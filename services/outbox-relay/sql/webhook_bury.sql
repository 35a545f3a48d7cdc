-- Refused for good: a dead letter, behind which its key waits where $12. A letter
-- that it was put back from came back as this one. False: $1 is not the delivery
-- of event $2 to endpoint $3, put back so often ($4), and nothing is written.
WITH returned AS MATERIALIZED (
	-- before the delivery is locked: whoever decides a letter locks that first
	SELECT count(letter_returned(d.delivery_id, $4, $5::uuid))
	FROM webhook_deliveries d
	WHERE d.delivery_id = $1 AND d.event_id = $2 AND d.endpoint = $3
	AND d.replays = $4 AND d.done_at IS NULL AND d.letter_id IS NOT NULL
), old AS (
	SELECT d.* FROM returned, webhook_deliveries d
	WHERE d.delivery_id = $1 AND d.event_id = $2 AND d.endpoint = $3
	AND d.replays = $4 AND d.done_at IS NULL FOR UPDATE OF d
), letter AS (
	INSERT INTO dead_letters (letter_id, source, row_id, topic, record_key,
		value, header_names, header_values, error_class, reason,
		attempts, blocks_key, came_back)
	SELECT $5::uuid, 'webhook', event_id, 'webhook:' || endpoint,
		record_key, body, $6, $7, $8, $9, $10::int4, $12::bool, letter_id
	FROM old ON CONFLICT (letter_id) DO NOTHING
), gone AS (
	UPDATE webhook_deliveries d SET done_at = clock_timestamp(),
		body = NULL, letter_id = $5::uuid, attempts = $10::int4,
		last_status = $11, last_response = NULL
	FROM old WHERE d.delivery_id = old.delivery_id
), keyed AS (
	UPDATE webhook_keys k SET next_at = clock_timestamp(),
		version = version + 1,
		blocked_by = CASE WHEN $12::bool THEN $5::uuid END,
		blocked_at = CASE WHEN $12::bool THEN clock_timestamp() END
	FROM old WHERE k.endpoint = old.endpoint
	AND k.key_digest = old.key_digest
)
SELECT EXISTS (SELECT FROM webhook_deliveries WHERE delivery_id = $1
	AND event_id = $2 AND endpoint = $3 AND replays = $4)
