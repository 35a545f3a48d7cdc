SELECT state, replay_count FROM lock_letter($1)
