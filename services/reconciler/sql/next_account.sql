-- Where a step of about $3 balances ends that begins behind ($1, $2); NULL:
-- at the end of the table.
SELECT n.org_id, n.account_id, clock_timestamp()
FROM (SELECT) one LEFT JOIN LATERAL (
	SELECT org_id, account_id FROM balances
	WHERE (org_id, account_id) > ($1, $2)
	ORDER BY org_id, account_id OFFSET $3 LIMIT 1) n ON true;
