-- What is still to be sent, by target.
SELECT l.topic, l.part, count(*), count(DISTINCT l.record_key),
	coalesce(sum(octet_length(l.value)), 0)::int8, min(l.at)
FROM replay_plans p
JOIN replay_plan_letters i ON i.plan_id = p.plan_id AND i.place >= p.next_place
JOIN letters l USING (letter_id)
WHERE p.plan_id = $1
GROUP BY l.topic, l.part ORDER BY l.topic, l.part
