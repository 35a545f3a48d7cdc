-- What is due on the locked SKUs by $3, some seconds ahead of the clock: the
-- batch's own time is known only afterwards. The SKU's lock covers these
-- rows. $4 bounds a sweep; a batch with commands takes all. $5: set aside.
SELECT k.i, l.reservation_id, l.name, l.qty, l.state, l.committed_qty,
	l.expires_at, l.version, l.last_at, l.stream
FROM unnest($1::int4[], $2::int8[]) WITH ORDINALITY AS k (org_id, sku_id, i),
LATERAL (SELECT r.* FROM reservations r WHERE r.org_id = k.org_id
	AND r.sku_id = k.sku_id AND r.state = 'reserved'
	AND r.expires_at <= $3 AND r.reservation_id <> ALL ($5::int8[])
	ORDER BY r.expires_at, r.reservation_id LIMIT $4) l
ORDER BY l.expires_at, l.reservation_id
LIMIT $4
