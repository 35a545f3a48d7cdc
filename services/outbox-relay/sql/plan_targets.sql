-- What is still to be sent, by target.
SELECT i.topic, i.part, count(*), count(DISTINCT i.key_digest),
	coalesce(sum(i.bytes), 0)::int8, min(i.at)
FROM replay_plans p
JOIN replay_plan_letters i ON i.plan_id = p.plan_id AND i.place >= p.next_place
WHERE p.plan_id = $1
GROUP BY i.topic, i.part ORDER BY i.topic, i.part
