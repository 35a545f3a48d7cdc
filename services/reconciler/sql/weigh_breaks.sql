-- Open breaks, those first that have led to no pause yet.
SELECT break_key, check_name, org,
	least(abs(difference), 9223372036854775807)::int8, pause
FROM breaks WHERE state = 'open'
ORDER BY pause IS NOT NULL, first_seen LIMIT $1;
