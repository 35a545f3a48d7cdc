WITH settled AS (
	UPDATE replay_plan_letters SET outcome = $3, detail = $4
	WHERE plan_id = $1 AND place = $2
)
UPDATE replay_plans SET next_place = $2 + 1, changed_at = clock_timestamp()
WHERE plan_id = $1
