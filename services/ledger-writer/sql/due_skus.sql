-- SKUs with reservations that are due, of the partitions that this process
-- sweeps. $1 stream[], $2 the time, $3 at most so many reservations a stream,
-- $4 those set aside: they must not stand in the way of later ones
SELECT DISTINCT d.org_id, o.name, d.sku_id, s.name
FROM unnest($1::int4[]) AS k (stream),
LATERAL (SELECT r.org_id, r.sku_id FROM reservations r
	WHERE r.stream = k.stream AND r.state = 'reserved'
	AND r.expires_at <= $2 AND r.reservation_id <> ALL ($4::int8[])
	ORDER BY r.expires_at LIMIT $3) d
JOIN orgs o ON o.org_id = d.org_id
JOIN skus s ON s.org_id = d.org_id AND s.sku_id = d.sku_id
