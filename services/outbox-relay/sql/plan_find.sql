-- Plans, the newest first; $1 = 0: all. Of what is behind the cursor only the
-- letters that were not sent are counted: the others were. One that runs while no
-- session has its lock (plan_own.sql) is interrupted: killed, or its server was.
WITH shown AS (SELECT r.*, r.state = 'running' AND NOT EXISTS (
		SELECT FROM pg_locks k WHERE k.locktype = 'advisory' AND k.granted
		AND k.objsubid = 1 AND k.database = (SELECT oid FROM pg_database
			WHERE datname = current_database())
		AND k.classid::int8 << 32 | k.objid::int8 = hashtextextended(
			'countinghouse replay plan ' || r.plan_id,
			'replay_plans'::regclass::oid::bigint)) AS is_dead
	FROM replay_plans r WHERE $1 = 0 OR plan_id = $1
	ORDER BY plan_id DESC LIMIT $2)
SELECT p.plan_id, CASE WHEN p.is_dead THEN 'interrupted' ELSE p.state END,
	CASE WHEN p.is_dead THEN 'its run ended without a word: run it again, it '
		'goes on where it was' ELSE p.state_reason END,
	p.selection::text, p.reason, p.planned_by, p.planned_at, p.two_person, coalesce(p.approved_by, ''),
	coalesce(p.per_second, 0), coalesce(p.bytes_per_second, 0), p.canary,
	p.canary_returns, p.canary_passed, p.replays_max, p.letters,
	p.next_place, CASE p.kind WHEN 'replay' THEN c.done ELSE 0 END,
	c.refused, c.quarantined, c.held, coalesce(r.returned, 0),
	coalesce(p.selection->>'to', ''),
	coalesce(p.selection->>'again', '') = 'true', p.kind,
	CASE p.kind WHEN 'discard' THEN c.done ELSE 0 END,
	greatest(coalesce((p.selection->>'named')::int8, 0) - p.letters, 0)
FROM shown p
CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE outcome = 'refused') AS refused,
	count(*) FILTER (WHERE outcome = 'quarantined') AS quarantined,
	count(*) FILTER (WHERE outcome = 'held') AS held,
	p.next_place - 1 - count(*) AS done
	FROM replay_plan_letters i WHERE i.plan_id = p.plan_id
	AND i.outcome IN ('refused', 'quarantined', 'held')) c
LEFT JOIN replay_plans_returned(ARRAY(SELECT plan_id FROM shown)) r USING (plan_id)
ORDER BY p.plan_id DESC
