-- Orders behind ($1, $2] up to ($3, $4) that are filled by another quantity
-- than their fills.
WITH wrong AS MATERIALIZED (
	SELECT org_id, order_id, sum(fills) AS fills, sum(filled) AS filled
	FROM (
		SELECT org_id, order_id, 0::numeric AS fills,
			filled::numeric AS filled
		FROM orders WHERE filled <> 0 AND (org_id, order_id) > ($1, $2)
			AND (org_id, order_id) <= ($3, $4)
		UNION ALL SELECT org_id, order_id, qty, 0 FROM order_fills
		WHERE (org_id, order_id) > ($1, $2)
			AND (org_id, order_id) <= ($3, $4)) u
	GROUP BY org_id, order_id HAVING sum(fills) <> sum(filled) LIMIT $5
)
SELECT format('orders/%s/%s', org_name(org_id),
		order_name(org_id, order_id)),
	org_name(org_id), order_name(org_id, order_id), fills::text,
	filled::text, (filled - fills)::text, NULL::int8, NULL::int8
FROM wrong;
