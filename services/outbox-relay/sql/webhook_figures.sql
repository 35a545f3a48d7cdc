-- Of each endpoint: pending rows (counted up to a bound), the first one's time,
-- blocked keys, since when.
SELECT (SELECT count(*) FROM (SELECT FROM webhook_deliveries d
		WHERE d.endpoint = t.endpoint AND d.done_at IS NULL
		LIMIT 100000) counted),
	(SELECT d.at FROM webhook_deliveries d
		WHERE d.endpoint = t.endpoint AND d.done_at IS NULL
		ORDER BY d.delivery_id LIMIT 1),
	(SELECT count(*) FROM (SELECT FROM webhook_keys k
		WHERE k.endpoint = t.endpoint AND k.blocked_by IS NOT NULL
		LIMIT 100000) counted),
	(SELECT min(k.blocked_at) FROM webhook_keys k
		WHERE k.endpoint = t.endpoint AND k.blocked_by IS NOT NULL)
FROM unnest($1::text[]) WITH ORDINALITY AS t(endpoint, place)
ORDER BY place
