-- Frees the keys whose letters were decided, and those that wait longer than any
-- may (backoff_max is 24 h at most): the server's clock was set back. Then says of
-- each endpoint: is something due?
WITH freed AS (
	UPDATE webhook_keys k SET blocked_by = NULL, blocked_at = NULL,
		next_at = now(), version = version + 1
	FROM letter_states s
	WHERE k.blocked_by IS NOT NULL AND s.letter_id = k.blocked_by
	AND s.state <> 'pending'
	RETURNING k.endpoint
), early AS (
	UPDATE webhook_keys k SET next_at = now(), version = version + 1
	FROM unnest($1::text[]) AS t(endpoint)
	WHERE k.endpoint = t.endpoint AND k.blocked_by IS NULL
	AND k.next_at > now() + interval '25 h'
)
SELECT EXISTS (SELECT FROM freed f WHERE f.endpoint = t.endpoint)
	OR EXISTS (SELECT FROM webhook_keys k WHERE k.endpoint = t.endpoint
		AND k.blocked_by IS NULL AND k.next_at <= now())
FROM unnest($1::text[]) WITH ORDINALITY AS t(endpoint, place)
ORDER BY place
