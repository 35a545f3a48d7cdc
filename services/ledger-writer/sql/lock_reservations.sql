-- By name, so that one made since discovery is seen, with its SKU: when that
-- is not locked, the batch starts again. (The SKUs' locks, taken before, cover
-- these rows; the order is for those whose SKU is not locked.)
SELECT k.i, l.reservation_id, l.sku_id, l.qty, l.state, l.committed_qty,
	l.expires_at, l.version, l.last_at, l.stream
FROM (SELECT * FROM unnest($1::int4[], $2::text[])
		WITH ORDINALITY AS n (org_id, name, i)
	ORDER BY org_id, name COLLATE "C") k,
LATERAL (SELECT r.* FROM reservations r WHERE r.org_id = k.org_id
	AND r.name = k.name FOR NO KEY UPDATE) l
