-- The delivery of a dead letter, or of an edit of one, is pending again in its
-- old place. No row: it is not dead now. Versions as in webhook_put.sql.
WITH RECURSIVE chain AS (
	SELECT $1::uuid AS letter_id
	UNION
	SELECT e.original_id FROM letter_edits e JOIN chain USING (letter_id)
), back AS (
	UPDATE webhook_deliveries d SET done_at = NULL, body = $2,
		attempts = 0, replays = $3, letter_id = $1,
		webhook_id = coalesce($4, webhook_id), last_status = NULL,
		refused_at = NULL, quota_since = NULL
	FROM chain c
	WHERE d.letter_id = c.letter_id AND d.done_at IS NOT NULL
	RETURNING d.endpoint, d.key_digest, d.delivery_id
), keyed AS (
	INSERT INTO webhook_keys AS k (endpoint, key_digest, version)
	SELECT endpoint, key_digest, (extract(epoch FROM now()) * 1000000)::int8
	FROM back
	ON CONFLICT (endpoint, key_digest) DO UPDATE
	SET version = k.version + 1, next_at = clock_timestamp()
)
SELECT delivery_id FROM back
