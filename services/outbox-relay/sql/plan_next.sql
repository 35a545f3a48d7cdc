-- Where the plan is, the letter there, and which earlier one of its key was
-- not sent and is still open. One that it was edited from is decided with it.
SELECT p.state, p.next_place, i.letter_id, b.letter_id::text
FROM replay_plans p
LEFT JOIN replay_plan_letters i ON i.plan_id = p.plan_id
	AND i.place = p.next_place
LEFT JOIN LATERAL (SELECT h.letter_id FROM replay_plan_letters h
	LEFT JOIN letter_states s USING (letter_id)
	WHERE h.plan_id = p.plan_id AND h.key_digest = i.key_digest
	AND h.outcome IN ('quarantined', 'held') AND h.place < i.place
	AND coalesce(s.state, 'pending') = 'pending'
	AND NOT EXISTS (
		WITH RECURSIVE chain AS (
			SELECT e.original_id FROM letter_edits e
			WHERE e.letter_id = i.letter_id
			UNION
			SELECT e.original_id FROM letter_edits e
			JOIN chain c ON e.letter_id = c.original_id
		)
		SELECT FROM chain c WHERE c.original_id = h.letter_id)
	ORDER BY h.place LIMIT 1) b ON true
WHERE p.plan_id = $1
