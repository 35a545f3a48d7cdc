-- Plans, the newest first; $1 = 0: all.
SELECT p.plan_id, p.state, p.state_reason, p.selection::text, p.reason,
	p.planned_by, p.planned_at, p.two_person, coalesce(p.approved_by, ''),
	coalesce(p.per_second, 0), coalesce(p.bytes_per_second, 0), p.canary,
	p.canary_returns, p.canary_passed, p.replays_max, p.letters,
	p.next_place, c.sent, c.refused, c.quarantined, c.held, r.judged,
	r.returned, coalesce(p.selection->>'to', ''),
	coalesce(p.selection->>'again', '') = 'true', p.kind, c.discarded,
	greatest(coalesce((p.selection->>'named')::int8, 0) - p.letters, 0)
FROM replay_plans p
CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE outcome = 'sent') AS sent,
	count(*) FILTER (WHERE outcome = 'discarded') AS discarded,
	count(*) FILTER (WHERE outcome = 'refused') AS refused,
	count(*) FILTER (WHERE outcome = 'quarantined') AS quarantined,
	count(*) FILTER (WHERE outcome = 'held') AS held
	FROM replay_plan_letters i WHERE i.plan_id = p.plan_id) c
CROSS JOIN LATERAL replay_plan_returns(p.plan_id) r
WHERE $1 = 0 OR p.plan_id = $1
ORDER BY p.plan_id DESC LIMIT $2
