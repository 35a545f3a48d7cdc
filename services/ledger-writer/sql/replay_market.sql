-- A market that is being settled: its number, its payer, how far it is paid.
-- $1 org_id, $2 name
SELECT m.market_id, a.name, m.cursor
FROM ledger_markets m
JOIN accounts a ON a.org_id = m.org_id AND a.account_id = m.payer_id
WHERE m.org_id = $1 AND m.name = $2
