-- Names to ids: facts that never change, read without a lock.
SELECT k.i, s.sku_id
FROM unnest($1::int4[], $2::text[]) WITH ORDINALITY AS k (org_id, name, i)
JOIN skus s ON s.org_id = k.org_id AND s.name = k.name
