-- Fills that the orders have already. $1 org_id[], $2 order names, $3 fills
SELECT k.i, f.qty, f.price
FROM unnest($1::int4[], $2::text[], $3::text[])
	WITH ORDINALITY AS k (org_id, name, fill, i)
JOIN orders o ON o.org_id = k.org_id AND o.name = k.name
JOIN order_fills f ON f.org_id = o.org_id AND f.order_id = o.order_id
	AND f.fill = k.fill
