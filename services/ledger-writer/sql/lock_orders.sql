-- Nothing else covers these rows: locked in the order of their names, as every
-- writer does.
SELECT k.i, l.order_id, l.market, l.side, l.qty, l.filled, l.price, l.state,
	l.version, l.last_at
FROM (SELECT * FROM unnest($1::int4[], $2::text[])
		WITH ORDINALITY AS n (org_id, name, i)
	ORDER BY org_id, name COLLATE "C") k,
LATERAL (SELECT o.* FROM orders o WHERE o.org_id = k.org_id
	AND o.name = k.name FOR NO KEY UPDATE) l
