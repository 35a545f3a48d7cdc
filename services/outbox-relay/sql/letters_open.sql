-- How many letters wait for an operator, counted up to 10000: more are not worth
-- it every few seconds.
SELECT count(*) FROM (SELECT FROM dead_letters WHERE is_open
	ORDER BY parked_at LIMIT 10000) o
