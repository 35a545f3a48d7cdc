INSERT INTO skus (org_id, sku_id, name)
SELECT * FROM unnest($1::int4[], $2::int8[], $3::text[])
