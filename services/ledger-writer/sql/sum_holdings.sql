-- Units of each outcome in all positions of a market whose row is locked.
SELECT k.i, p.outcome, sum(p.qty)::text
FROM unnest($1::int4[], $2::text[]) WITH ORDINALITY AS k (org_id, name, i)
JOIN ledger_markets m ON m.org_id = k.org_id AND m.name = k.name
JOIN positions p ON p.org_id = m.org_id AND p.market_id = m.market_id
GROUP BY k.i, p.outcome
