INSERT INTO orders (org_id, order_id, name, market, side, qty, filled, price,
	state, version, last_at)
SELECT * FROM unnest($1::int4[], $2::int8[], $3::text[], $4::text[],
	$5::text[], $6::int8[], $7::int8[], $8::text[], $9::text[], $10::int8[],
	$11::timestamptz[])
