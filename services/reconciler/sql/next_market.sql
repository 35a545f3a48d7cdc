-- As next_account.sql, for markets.
SELECT n.org_id, n.market_id, clock_timestamp()
FROM (SELECT) one LEFT JOIN LATERAL (
	SELECT org_id, market_id FROM ledger_markets
	WHERE (org_id, market_id) > ($1, $2)
	ORDER BY org_id, market_id OFFSET $3 LIMIT 1) n ON true;
