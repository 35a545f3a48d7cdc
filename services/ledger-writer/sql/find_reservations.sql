-- The SKU behind each reservation that a command names: whose row to lock.
SELECT k.i, r.reservation_id, r.sku_id, s.name
FROM unnest($1::int4[], $2::text[]) WITH ORDINALITY AS k (org_id, name, i)
JOIN reservations r ON r.org_id = k.org_id AND r.name = k.name
JOIN skus s ON s.org_id = r.org_id AND s.sku_id = r.sku_id
