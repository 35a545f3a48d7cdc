-- Every position with a lock, of accounts that a skim may touch. $3: at most so
-- many, which says that there are more.
SELECT k.i, m.market_id, m.name, l.outcome, l.position_id, l.qty, l.lock,
	l.belief, l.meta, l.paid, l.version, l.last_at
FROM unnest($1::int4[], $2::int8[]) WITH ORDINALITY AS k (org_id, account_id, i),
LATERAL (SELECT p.* FROM positions p WHERE p.org_id = k.org_id
	AND p.account_id = k.account_id AND p.lock > 0
	FOR NO KEY UPDATE) l
JOIN ledger_markets m ON m.org_id = l.org_id AND m.market_id = l.market_id
LIMIT $3
