-- Markets that a batch may change, in the order of their names.
SELECT k.i, l.market_id, l.asset, l.address, l.state,
	(SELECT a.name FROM accounts a
		WHERE a.org_id = k.org_id AND a.account_id = l.payer_id),
	l.payouts, l.reserved, l.paid, l.unpaid, l.holders, l.unpaid_holders,
	l.page, l.cursor, l.owed::text, l.stream, l.version, l.last_at
FROM (SELECT * FROM unnest($1::int4[], $2::text[])
		WITH ORDINALITY AS n (org_id, name, i)
	ORDER BY org_id, name COLLATE "C") k,
LATERAL (SELECT m.* FROM ledger_markets m WHERE m.org_id = k.org_id
	AND m.name = k.name FOR NO KEY UPDATE) l
