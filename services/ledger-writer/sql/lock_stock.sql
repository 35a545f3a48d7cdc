-- As lock_balances, for stock.
SELECT k.i, l.on_hand, l.reserved, l.version, l.last_at
FROM unnest($1::int4[], $2::int8[]) WITH ORDINALITY AS k (org_id, sku_id, i),
LATERAL (SELECT t.* FROM stock t WHERE t.org_id = k.org_id
	AND t.sku_id = k.sku_id FOR NO KEY UPDATE) l
