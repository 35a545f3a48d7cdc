UPDATE ledger_markets m SET asset = k.asset, address = k.address,
	state = k.state, version = k.version, last_at = $7
FROM unnest($1::int4[], $2::int8[], $3::text[], $4::text[], $5::text[],
	$6::int8[]) AS k (org_id, market_id, asset, address, state, version)
WHERE m.org_id = k.org_id AND m.market_id = k.market_id
