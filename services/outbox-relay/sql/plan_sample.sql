SELECT i.letter_id FROM replay_plans p
JOIN replay_plan_letters i ON i.plan_id = p.plan_id AND i.place >= p.next_place
WHERE p.plan_id = $1 ORDER BY i.place LIMIT $2
