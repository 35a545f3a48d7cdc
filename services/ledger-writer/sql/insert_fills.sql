INSERT INTO order_fills (org_id, order_id, fill, qty, price, command_id,
	decided_at)
SELECT * FROM unnest($1::int4[], $2::int8[], $3::text[], $4::int8[],
	$5::text[], $6::uuid[], $7::timestamptz[])
