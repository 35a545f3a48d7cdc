INSERT INTO own_trades (org_id, tx, account_id, market_id, outcome, side,
	position, lock, skim, qty, price, state, recorded_by, recorded_at,
	confirmed_by, confirmed_at)
SELECT * FROM unnest($1::int4[], $2::text[], $3::int8[], $4::int8[], $5::text[],
	$6::text[], $7::int8[], $8::int8[], $9::int8[], $10::text[], $11::text[],
	$12::text[], $13::uuid[], $14::timestamptz[], $15::uuid[],
	$16::timestamptz[])
