-- As next_account.sql, for stock.
SELECT n.org_id, n.sku_id, clock_timestamp()
FROM (SELECT) one LEFT JOIN LATERAL (
	SELECT org_id, sku_id FROM stock
	WHERE (org_id, sku_id) > ($1, $2)
	ORDER BY org_id, sku_id OFFSET $3 LIMIT 1) n ON true;
