SELECT k.i, a.name, m.name, l.outcome, l.side, l.state, l.recorded_at
FROM (SELECT * FROM unnest($1::int4[], $2::text[])
		WITH ORDINALITY AS n (org_id, tx, i)
	ORDER BY org_id, tx COLLATE "C") k,
LATERAL (SELECT t.* FROM own_trades t WHERE t.org_id = k.org_id
	AND t.tx = k.tx FOR NO KEY UPDATE) l
JOIN accounts a ON a.org_id = l.org_id AND a.account_id = l.account_id
JOIN ledger_markets m ON m.org_id = l.org_id AND m.market_id = l.market_id
