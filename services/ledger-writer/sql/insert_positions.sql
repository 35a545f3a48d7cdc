INSERT INTO positions (org_id, position_id, account_id, market_id, outcome,
	qty, lock, belief, meta, version, last_at)
SELECT * FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::int8[],
	$5::text[], $6::int8[], $7::int8[], $8::int8[], $9::int8[], $10::int8[],
	$11::timestamptz[])
