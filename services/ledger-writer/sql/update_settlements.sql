-- How far a settlement has come: in the transaction that pays.
UPDATE ledger_markets m SET payer_id = k.payer_id, payouts = k.payouts,
	reserved = k.reserved, paid = k.paid, unpaid = k.unpaid,
	holders = k.holders, unpaid_holders = k.unpaid_holders, page = k.page,
	cursor = k.cursor, owed = k.owed::numeric, stream = k.stream,
	last_at = $14
FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::text[], $5::int8[],
	$6::int8[], $7::int8[], $8::int8[], $9::int8[], $10::int8[],
	$11::int8[], $12::text[], $13::int4[])
	AS k (org_id, market_id, payer_id, payouts, reserved, paid, unpaid,
		holders, unpaid_holders, page, cursor, owed, stream)
WHERE m.org_id = k.org_id AND m.market_id = k.market_id
