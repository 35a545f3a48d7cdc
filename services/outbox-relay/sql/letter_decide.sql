UPDATE letter_states SET
	state = CASE WHEN $2 IN ('quarantined', 'edited') THEN 'pending' ELSE $2 END,
	held = CASE WHEN $2 IN ('quarantined', 'edited') THEN $2 END,
	replay_count = $3, actor = $4, reason = $5,
	changed_at = clock_timestamp() WHERE letter_id = $1
