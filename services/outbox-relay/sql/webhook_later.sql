-- Not taken for now ($2), which costs no attempt: its key goes behind the others
-- that are due. $4: by a quota. $5: what it answered.
WITH refused AS (
	UPDATE webhook_deliveries SET refused_at = $2, last_status = $3::int4,
		last_response = $5,
		quota_since = CASE WHEN $4::bool THEN coalesce(quota_since, $2)
			ELSE quota_since END
	WHERE delivery_id = $1 AND done_at IS NULL
	RETURNING endpoint, key_digest
)
UPDATE webhook_keys k SET next_at = clock_timestamp(), version = version + 1
FROM refused r WHERE k.endpoint = r.endpoint AND k.key_digest = r.key_digest
