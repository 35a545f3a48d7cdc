-- What waits behind dead letters, longest first.
SELECT topic, record_key, letter_id, since, waiting
FROM blocked_keys ORDER BY since, letter_id LIMIT $1
