-- One row: nobody has stopped the plan, and it is where it was read.
SELECT plan_id FROM replay_plans
WHERE plan_id = $1 AND state = 'running' AND next_place = $2 FOR UPDATE
