-- Where the plan is, and its next letters, $2 at most: whether one of them before
-- it has its key, and which earlier one of its key was not sent and is still open.
-- One that it was edited from is decided with it.
SELECT p.state, p.next_place, i.letter_id, i.bytes, i.again, b.letter_id::text
FROM replay_plans p
LEFT JOIN LATERAL (SELECT n.place, n.letter_id, n.key_digest,
		coalesce(n.bytes, 0) AS bytes, n.key_digest IS NOT NULL
		AND row_number() OVER (PARTITION BY n.key_digest ORDER BY n.place) > 1
		AS again
	FROM (SELECT * FROM replay_plan_letters l WHERE l.plan_id = p.plan_id
		AND l.place >= p.next_place ORDER BY l.place LIMIT $2) n) i ON true
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
WHERE p.plan_id = $1 ORDER BY i.place
