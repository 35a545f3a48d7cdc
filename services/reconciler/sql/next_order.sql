-- As next_account.sql, for orders.
SELECT n.org_id, n.order_id, clock_timestamp()
FROM (SELECT) one LEFT JOIN LATERAL (
	SELECT org_id, order_id FROM orders
	WHERE (org_id, order_id) > ($1, $2)
	ORDER BY org_id, order_id OFFSET $3 LIMIT 1) n ON true;
