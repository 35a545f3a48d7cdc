INSERT INTO assets (org_id, name, scale)
SELECT * FROM unnest($1::int4[], $2::text[], $3::int2[])
