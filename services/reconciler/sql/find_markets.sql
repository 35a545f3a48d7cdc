-- Markets behind ($1, $2] up to ($3, $4) that have paid another sum than their
-- positions got, or more than was set aside.
WITH wrong AS MATERIALIZED (
	SELECT w.* FROM (
		SELECT org_id, market_id, 'paid' AS kind, sum(got) AS expected,
			sum(paid) AS found
		FROM (
			SELECT org_id, market_id, 0::numeric AS got,
				paid::numeric AS paid
			FROM ledger_markets WHERE paid <> 0
				AND (org_id, market_id) > ($1, $2)
				AND (org_id, market_id) <= ($3, $4)
			UNION ALL SELECT org_id, market_id, paid, 0 FROM positions
			WHERE paid IS NOT NULL AND (org_id, market_id) > ($1, $2)
				AND (org_id, market_id) <= ($3, $4)) u
		GROUP BY org_id, market_id HAVING sum(got) <> sum(paid)
		UNION ALL
		SELECT org_id, market_id, 'reserved', reserved,
			paid::numeric + unpaid
		FROM ledger_markets WHERE paid::numeric + unpaid > reserved
			AND (org_id, market_id) > ($1, $2)
			AND (org_id, market_id) <= ($3, $4)) w
	LIMIT $5
)
SELECT format('markets/%s/%s/%s', org_name(org_id),
		market_name(org_id, market_id), kind),
	org_name(org_id), market_name(org_id, market_id) || ' ' || kind,
	expected::text, found::text, (found - expected)::text,
	NULL::int8, NULL::int8
FROM wrong;
