-- What became of the letters of a plan, in their order.
SELECT i.place, i.letter_id, coalesce(i.outcome, 'waiting'),
	coalesce(i.detail, ''), i.topic, i.part, coalesce(i.bytes, 0), i.at,
	coalesce(s.held, s.state, 'pending')
FROM replay_plan_letters i LEFT JOIN letter_states s USING (letter_id)
WHERE i.plan_id = $1 AND i.place > $2 AND CASE $4::text
	WHEN '' THEN true
	WHEN 'waiting' THEN i.outcome IS NULL
	WHEN 'unsent' THEN i.outcome IN ('refused', 'quarantined', 'held')
	ELSE i.outcome = $4 END
ORDER BY i.place LIMIT $3
