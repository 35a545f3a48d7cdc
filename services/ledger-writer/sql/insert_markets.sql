INSERT INTO ledger_markets (org_id, market_id, name, asset, address, state,
	payer_id, payouts, reserved, stream, version, last_at)
SELECT * FROM unnest($1::int4[], $2::int8[], $3::text[], $4::text[],
	$5::text[], $6::text[], $7::int8[], $8::text[], $9::int8[], $10::int4[],
	$11::int8[], $12::timestamptz[])
