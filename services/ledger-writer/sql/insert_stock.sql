INSERT INTO stock (org_id, sku_id, on_hand, reserved, version, last_at)
SELECT * FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::int8[], $5::int8[],
	$6::timestamptz[])
