INSERT INTO balances (org_id, account_id, shard, balance, held, floor,
	version, closed, last_at)
SELECT * FROM unnest($1::int4[], $2::int8[], $3::int2[], $4::int8[],
	$5::int8[], $6::int8[], $7::int8[], $8::boolean[], $9::timestamptz[])
