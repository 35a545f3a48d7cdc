-- Deploy countinghouse:invariants to pg
-- More of what must hold, as views that return only what is wrong: held,
-- orders, markets, and that no row points out of its organisation.

BEGIN;
SET LOCAL search_path = ch;

CREATE FUNCTION order_name(org int4, number int8) RETURNS text
	LANGUAGE sql STABLE AS $$
	SELECT coalesce((SELECT name FROM ch.orders
		WHERE org_id = org AND order_id = number), '#' || number)
	$$;
CREATE FUNCTION market_name(org int4, number int8) RETURNS text
	LANGUAGE sql STABLE AS $$
	SELECT coalesce((SELECT name FROM ch.ledger_markets
		WHERE org_id = org AND market_id = number), '#' || number)
	$$;

-- held is what the open holds, the locks of the positions and the settlements
-- that the account pays say.
CREATE VIEW check_held AS
	SELECT format('held/%s/%s', ch.org_name(org_id),
			ch.account_name(org_id, account_id)) AS break_key,
		ch.org_name(org_id) AS org,
		ch.account_name(org_id, account_id) AS subject,
		owed AS expected, held AS found, held - owed AS difference,
		NULL::int8 AS low, NULL::int8 AS high
	FROM (
		SELECT org_id, account_id, sum(owed) AS owed, sum(held) AS held FROM (
			SELECT org_id, account_id, 0::numeric AS owed,
				held::numeric AS held FROM ch.balances WHERE held <> 0
			UNION ALL SELECT org_id, account_id, amount, 0
			FROM ch.holds WHERE state = 'held'
			UNION ALL SELECT org_id, account_id, lock, 0
			FROM ch.positions WHERE lock > 0
			UNION ALL SELECT org_id, payer_id,
				reserved::numeric - paid - unpaid, 0
			FROM ch.ledger_markets WHERE state = 'settling') u
		GROUP BY 1, 2 HAVING sum(owed) <> sum(held)) w;

-- An order is filled by its fills. In units.
CREATE VIEW check_orders AS
	SELECT format('orders/%s/%s', ch.org_name(org_id),
			ch.order_name(org_id, order_id)) AS break_key,
		ch.org_name(org_id) AS org,
		ch.order_name(org_id, order_id) AS subject,
		fills AS expected, filled AS found, filled - fills AS difference,
		NULL::int8 AS low, NULL::int8 AS high
	FROM (
		SELECT org_id, order_id, sum(fills) AS fills, sum(filled) AS filled
		FROM (SELECT org_id, order_id, 0::numeric AS fills,
				filled::numeric AS filled FROM ch.orders WHERE filled <> 0
			UNION ALL SELECT org_id, order_id, qty, 0
			FROM ch.order_fills) u
		GROUP BY 1, 2 HAVING sum(fills) <> sum(filled)) w;

-- A market has paid what its positions got, and no more than was set aside.
CREATE VIEW check_markets AS
	SELECT format('markets/%s/%s/%s', ch.org_name(org_id),
			ch.market_name(org_id, market_id), kind) AS break_key,
		ch.org_name(org_id) AS org,
		ch.market_name(org_id, market_id) || ' ' || kind AS subject,
		expected, found, found - expected AS difference,
		NULL::int8 AS low, NULL::int8 AS high
	FROM (
		SELECT org_id, market_id, 'paid' AS kind, sum(got) AS expected,
			sum(paid) AS found
		FROM (SELECT org_id, market_id, 0::numeric AS got,
				paid::numeric AS paid FROM ch.ledger_markets WHERE paid <> 0
			UNION ALL SELECT org_id, market_id, paid, 0
			FROM ch.positions WHERE paid IS NOT NULL) u
		GROUP BY 1, 2 HAVING sum(got) <> sum(paid)
		UNION ALL
		SELECT org_id, market_id, 'reserved', reserved,
			paid::numeric + unpaid
		FROM ch.ledger_markets WHERE paid::numeric + unpaid > reserved) w;

-- Rows whose owner is not there within their organisation. The books have no
-- foreign keys (each would cost the writer a look-up a row): the composite
-- keys keep a row from pointing elsewhere, this shows that it points at all.
-- Reads everything but the postings, of which check_transfers shows the same.
CREATE VIEW check_references AS
	SELECT format('references/%s/%s/%s', ch.org_name(org_id), kind, id)
			AS break_key, ch.org_name(org_id) AS org,
		kind || ' ' || id AS subject, 1::numeric AS expected,
		0::numeric AS found, -1::numeric AS difference,
		NULL::int8 AS low, NULL::int8 AS high
	FROM (
		SELECT a.org_id, 'accounts' AS kind, a.name AS id FROM ch.accounts a
		LEFT JOIN ch.assets s ON s.org_id = a.org_id AND s.name = a.asset
			AND s.scale = a.scale
		LEFT JOIN ch.orgs o ON o.org_id = a.org_id
		WHERE s.name IS NULL OR o.name IS NULL
		UNION ALL SELECT b.org_id, 'balances', b.account_id || '#' || b.shard
		FROM ch.balances b LEFT JOIN ch.accounts a USING (org_id, account_id)
		WHERE a.name IS NULL OR b.shard >= greatest(a.shards, 1)
		UNION ALL SELECT s.org_id, 'stock', s.sku_id::text FROM ch.stock s
		LEFT JOIN ch.skus k USING (org_id, sku_id) WHERE k.name IS NULL
		UNION ALL SELECT r.org_id, 'reservations', r.name
		FROM ch.reservations r LEFT JOIN ch.skus k USING (org_id, sku_id)
		WHERE k.name IS NULL
		UNION ALL SELECT h.org_id, 'holds', h.name FROM ch.holds h
		LEFT JOIN ch.accounts a USING (org_id, account_id)
		WHERE a.name IS NULL
		UNION ALL SELECT f.org_id, 'order_fills', f.fill FROM ch.order_fills f
		LEFT JOIN ch.orders r USING (org_id, order_id) WHERE r.name IS NULL
		UNION ALL SELECT m.org_id, 'ledger_markets', m.name
		FROM ch.ledger_markets m LEFT JOIN ch.accounts a
			ON a.org_id = m.org_id AND a.account_id = m.payer_id
		WHERE m.payer_id IS NOT NULL AND a.name IS NULL
		UNION ALL SELECT p.org_id, 'positions', p.position_id::text
		FROM ch.positions p LEFT JOIN ch.accounts a USING (org_id, account_id)
		LEFT JOIN ch.ledger_markets m USING (org_id, market_id)
		WHERE a.name IS NULL OR m.name IS NULL
		UNION ALL SELECT t.org_id, 'own_trades', t.tx FROM ch.own_trades t
		LEFT JOIN ch.accounts a USING (org_id, account_id)
		LEFT JOIN ch.ledger_markets m USING (org_id, market_id)
		WHERE a.name IS NULL OR m.name IS NULL
	) w;

-- A rule for an organisation is for one that there is.
ALTER TABLE rate_rules ADD FOREIGN KEY (org_id) REFERENCES orgs;

GRANT SELECT ON check_held, check_orders, check_markets, check_references
	TO ch_operator, ch_reconciler;

COMMIT;
