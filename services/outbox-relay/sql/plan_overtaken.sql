-- Letters that are open, older than one of the plan of the same key, and not in
-- the plan: the plan would pass them.
WITH chosen AS (
	SELECT letter_id FROM replay_plan_letters WHERE plan_id = $1
), keys AS (
	SELECT l.topic, l.record_key, max(l.at) AS newest
	FROM chosen JOIN letters l USING (letter_id)
	WHERE l.record_key IS NOT NULL GROUP BY 1, 2
)
SELECT count(*) FROM letters o JOIN keys k ON k.topic = o.topic
	AND k.record_key = o.record_key AND o.at < k.newest
WHERE o.state IN ('pending', 'quarantined')
AND NOT EXISTS (SELECT FROM chosen c WHERE c.letter_id = o.letter_id)
