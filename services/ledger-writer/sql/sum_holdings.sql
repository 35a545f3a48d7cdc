-- Units of the outcomes that settlements pay, in all positions of markets whose
-- rows are locked. Each market is read once, however many payouts there are
-- (MATERIALIZED, OFFSET 0: whatever the planner thinks of their number), and
-- nothing of one that is settled already. $1, $2 the markets; $3 which of them,
-- $4 the outcome
WITH held AS MATERIALIZED (
	SELECT w.i AS market, l.outcome, l.units
	FROM unnest($1::int4[], $2::text[]) WITH ORDINALITY
		AS w (org_id, name, i),
	LATERAL (SELECT c.market_id FROM ledger_markets c
		WHERE c.org_id = w.org_id AND c.name = w.name
		AND c.state = 'open' OFFSET 0) m,
	LATERAL (SELECT p.outcome, sum(p.qty)::text AS units FROM positions p
		WHERE p.org_id = w.org_id AND p.market_id = m.market_id
		GROUP BY p.outcome OFFSET 0) l)
SELECT k.i, held.units
FROM unnest($3::int8[], $4::text[]) WITH ORDINALITY AS k (market, outcome, i)
JOIN held USING (market, outcome)
