-- Letters that are open, older than one of those named ($1) of the same key, and
-- not named: sending those would pass them. The first of them, and how many. What
-- was replayed is sent again where $2.
WITH chosen AS MATERIALIZED (
	SELECT letter_id, topic, record_key, at FROM letters
	WHERE letter_id = ANY($1) AND record_key IS NOT NULL
	AND (stored_state IN ('pending', 'quarantined')
		OR $2::bool AND stored_state = 'replayed')
), keys AS MATERIALIZED (
	SELECT topic, record_key, max(at) AS newest FROM chosen GROUP BY 1, 2
)
SELECT o.letter_id, count(*) OVER ()
FROM keys k JOIN letters o ON o.topic = k.topic AND o.record_key = k.record_key
	AND o.at < k.newest
WHERE o.stored_state IN ('pending', 'quarantined')
AND NOT EXISTS (SELECT FROM chosen c WHERE c.letter_id = o.letter_id)
ORDER BY o.at, o.row_order, o.letter_id LIMIT 1
