INSERT INTO letter_replays (letter_id, replay_count, topic, part, log_offset,
	actor, reason, org, command_id, command_day, plan_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
