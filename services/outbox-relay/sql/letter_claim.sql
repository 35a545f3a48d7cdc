SELECT state, replay_count FROM claim_letter($1, $2, $3)
