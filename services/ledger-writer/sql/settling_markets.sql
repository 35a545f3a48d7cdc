-- The oldest market that is being settled, of the partitions that this process
-- sweeps, and who pays. $1 stream[], $2 those set aside
SELECT m.org_id, o.name, m.name, m.market_id, a.name, m.cursor
FROM ledger_markets m
JOIN orgs o ON o.org_id = m.org_id
JOIN accounts a ON a.org_id = m.org_id AND a.account_id = m.payer_id
WHERE m.state = 'settling' AND m.stream = ANY ($1::int4[])
	AND m.market_id <> ALL ($2::int8[])
ORDER BY m.last_at, m.org_id, m.market_id
LIMIT 1
