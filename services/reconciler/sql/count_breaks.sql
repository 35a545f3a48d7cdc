-- For the metrics: open breaks and the sum of their differences by check, and
-- as the last row what is paused.
SELECT check_name, count(*),
	least(sum(abs(difference)), 9223372036854775807)::int8
FROM breaks WHERE state = 'open' GROUP BY check_name
UNION ALL
SELECT 'paused', count(*), count(*) FILTER (WHERE scope = 'trading')
FROM pauses;
