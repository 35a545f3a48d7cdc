-- The numbers that rows have in the books, by what names them: drawn when they
-- were made, by whoever made them, and written nowhere else.
-- $1 kind (as in renumber.c), $2 org_id, $3 name (a position's account),
-- $4 market, $5 outcome
SELECT CASE k.kind
	WHEN 0 THEN (SELECT x.account_id FROM source_accounts x
		WHERE x.org_id = k.org_id AND x.name = k.name)
	WHEN 1 THEN (SELECT x.sku_id FROM source_skus x
		WHERE x.org_id = k.org_id AND x.name = k.name)
	WHEN 2 THEN (SELECT x.hold_id FROM source_holds x
		WHERE x.org_id = k.org_id AND x.name = k.name)
	WHEN 3 THEN (SELECT x.reservation_id FROM source_reservations x
		WHERE x.org_id = k.org_id AND x.name = k.name)
	WHEN 4 THEN (SELECT x.order_id FROM source_orders x
		WHERE x.org_id = k.org_id AND x.name = k.name)
	WHEN 5 THEN (SELECT x.market_id FROM source_ledger_markets x
		WHERE x.org_id = k.org_id AND x.name = k.name)
	WHEN 6 THEN (SELECT x.position_id FROM source_positions x
		WHERE x.org_id = k.org_id AND x.account_id =
			(SELECT a.account_id FROM source_accounts a
			WHERE a.org_id = k.org_id AND a.name = k.name)
		AND x.market_id = (SELECT m.market_id FROM source_ledger_markets m
			WHERE m.org_id = k.org_id AND m.name = k.market)
		AND x.outcome = k.outcome)
	END
FROM unnest($1::int4[], $2::int4[], $3::text[], $4::text[], $5::text[])
	WITH ORDINALITY AS k (kind, org_id, name, market, outcome, i)
ORDER BY k.i
