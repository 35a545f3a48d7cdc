INSERT INTO holds (org_id, hold_id, account_id, name, amount, state,
	captured, expires_at, stream, version, last_at)
SELECT * FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::text[],
	$5::int8[], $6::text[], $7::int8[], $8::timestamptz[], $9::int4[],
	$10::int8[], $11::timestamptz[])
