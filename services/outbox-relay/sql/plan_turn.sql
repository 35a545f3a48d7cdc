-- Into another state, from one of these, with its audit row; no row inserted:
-- it was in none of them.
WITH old AS (
	SELECT plan_id, state FROM replay_plans WHERE plan_id = $1 FOR UPDATE
), turned AS (
	UPDATE replay_plans p SET state = $2, state_reason = $3,
		canary_passed = canary_passed OR $4, changed_at = clock_timestamp()
	FROM old o WHERE p.plan_id = o.plan_id AND o.state = ANY($5)
	RETURNING o.state AS was, p.*
)
INSERT INTO audit_events (actor, action, subject, reason, before, after)
SELECT $6, $7, 'plan ' || plan_id, $8, jsonb_build_object('state', was),
	jsonb_build_object('state', state, 'detail', $3::text,
		'selection', selection, 'letters', letters, 'counts', (
		SELECT jsonb_object_agg(k.outcome, k.n) FROM (
			SELECT coalesce(outcome, 'waiting') AS outcome, count(*) AS n
			FROM replay_plan_letters i
			WHERE i.plan_id = turned.plan_id GROUP BY 1) k))
FROM turned
