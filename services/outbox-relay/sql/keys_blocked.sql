-- What waits behind dead letters, longest first, why, and how many there are.
SELECT k.topic, k.record_key, k.letter_id, k.since, k.waiting, d.error_class,
	d.reason, d.attempts,
	coalesce(s.held, s.state, 'pending') AS state,
	(SELECT count(*) FROM blocked_keys) AS fitting
FROM blocked_keys k JOIN dead_letters d USING (letter_id)
LEFT JOIN letter_states s USING (letter_id)
ORDER BY k.since, k.letter_id LIMIT $1
