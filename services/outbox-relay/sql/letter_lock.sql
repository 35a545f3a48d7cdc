SELECT CASE WHEN state = 'replayed' AND letter_resolved(letter_id)
	THEN 'resolved' ELSE coalesce(held, state) END, replay_count
FROM letter_states WHERE letter_id = $1 FOR UPDATE
