-- SKUs behind ($1, $2] up to ($3, $4): what is reserved is what the open
-- reservations say, lies within what there is, and nothing is negative.
WITH asked AS (
	SELECT org_id, sku_id, sum(qty) AS qty FROM reservations
	WHERE state = 'reserved' AND (org_id, sku_id) > ($1, $2)
		AND (org_id, sku_id) <= ($3, $4)
	GROUP BY org_id, sku_id
), held AS (
	SELECT org_id, sku_id, on_hand, reserved FROM stock
	WHERE (org_id, sku_id) > ($1, $2) AND (org_id, sku_id) <= ($3, $4)
), both_sides AS (
	SELECT org_id, sku_id, on_hand, reserved, coalesce(qty, 0) AS qty
	FROM held FULL JOIN asked USING (org_id, sku_id)
), wrong AS MATERIALIZED (
	SELECT b.org_id, b.sku_id, w.* FROM both_sides b, LATERAL (
		SELECT 'reserved' AS kind, qty AS expected,
			reserved::numeric AS found
		WHERE reserved IS DISTINCT FROM qty
		UNION ALL
		SELECT 'on_hand', greatest(reserved, 0), on_hand
		WHERE on_hand < reserved OR on_hand < 0
		UNION ALL
		SELECT 'negative', 0, reserved WHERE reserved < 0
	) w LIMIT $5
)
SELECT format('stock/%s/%s/%s', org_name(org_id), sku_name(org_id, sku_id),
		kind),
	org_name(org_id), sku_name(org_id, sku_id) || ' ' || kind,
	expected::text, found::text, (coalesce(found, 0) - expected)::text,
	NULL::int8, NULL::int8
FROM wrong;
