-- What is still to be sent, by target. `to` is for what replay_redirect() takes:
-- foreign letters, and those of ours whose topic no topic can be.
SELECT t.topic, t.part, count(*), count(DISTINCT l.record_key),
	coalesce(sum(octet_length(l.value)), 0)::int8, min(l.at)
FROM replay_plans p
JOIN replay_plan_letters i ON i.plan_id = p.plan_id AND i.place >= p.next_place
JOIN letters l USING (letter_id)
CROSS JOIN LATERAL (SELECT p.selection ? 'to' AND (l.kind = 'foreign'
	OR l.topic !~ '^(webhook:.*|[a-zA-Z0-9._-]{1,249})$'
	OR l.topic IN ('.', '..')) AS elsewhere) e
CROSS JOIN LATERAL (SELECT
	CASE WHEN e.elsewhere THEN p.selection->>'to' ELSE l.topic END AS topic,
	CASE WHEN NOT e.elsewhere THEN l.part END AS part) t
WHERE p.plan_id = $1
GROUP BY t.topic, t.part ORDER BY t.topic, t.part
