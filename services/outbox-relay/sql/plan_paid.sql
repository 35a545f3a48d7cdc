-- Of a plan that had begun: since when, in ms, nothing was sent of it (0: its run
-- ended without a word, maybe now), the bytes of its next letter, which may have been
-- sent and not written down; and of the last one that was decided, since when,
-- and its bytes.
SELECT CASE p.state WHEN 'running' THEN 0 ELSE greatest(0, extract(epoch
		FROM clock_timestamp() - p.changed_at) * 1000)::int8 END,
	coalesce(n.bytes, 0),
	greatest(0, extract(epoch FROM clock_timestamp()
		- coalesce(s.changed_at, p.changed_at)) * 1000)::int8,
	coalesce(l.bytes, 0)
FROM replay_plans p
LEFT JOIN replay_plan_letters n ON n.plan_id = p.plan_id
	AND n.place = p.next_place
LEFT JOIN LATERAL (SELECT d.letter_id, d.bytes FROM replay_plan_letters d
	WHERE d.plan_id = p.plan_id AND d.place < p.next_place
	AND d.outcome IN ('sent', 'discarded')
	ORDER BY d.place DESC LIMIT 1) l ON true
LEFT JOIN letter_states s ON s.letter_id = l.letter_id
WHERE p.plan_id = $1 AND p.state IN ('running', 'stopped')
