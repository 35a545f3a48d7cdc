-- The account's row, locked before, covers these.
-- $1 org_id[], $2 account_id[], $3 market names, $4 outcomes
SELECT k.i, l.position_id, l.qty, l.lock, l.belief, l.meta, l.paid, l.version,
	l.last_at
FROM unnest($1::int4[], $2::int8[], $3::text[], $4::text[])
	WITH ORDINALITY AS k (org_id, account_id, market, outcome, i)
JOIN ledger_markets m ON m.org_id = k.org_id AND m.name = k.market,
LATERAL (SELECT p.* FROM positions p WHERE p.org_id = k.org_id
	AND p.account_id = k.account_id AND p.market_id = m.market_id
	AND p.outcome = k.outcome FOR NO KEY UPDATE) l
