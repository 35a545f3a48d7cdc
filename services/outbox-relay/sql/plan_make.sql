INSERT INTO replay_plans (selection, reason, planned_by, two_person, per_second,
	bytes_per_second, canary, canary_returns, replays_max, kind)
VALUES ($1::text::jsonb, $2, $3, $4, $5, $6, $7, $8, $9, $10)
RETURNING plan_id
