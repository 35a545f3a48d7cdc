-- The next positions to be paid: facts only, they are locked and read later.
-- $1 org_id, $2 market_id, $3 behind this number, $4 at most so many
SELECT a.name, p.outcome
FROM (SELECT * FROM positions WHERE org_id = $1 AND market_id = $2
	AND position_id > $3 ORDER BY position_id LIMIT $4) p
JOIN accounts a ON a.org_id = p.org_id AND a.account_id = p.account_id
ORDER BY p.position_id
