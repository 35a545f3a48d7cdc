INSERT INTO accounts (org_id, account_id, name, asset, scale, shards)
SELECT * FROM unnest($1::int4[], $2::int8[], $3::text[], $4::text[],
	$5::int2[], $6::int2[])
