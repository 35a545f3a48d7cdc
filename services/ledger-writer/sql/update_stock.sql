UPDATE stock t SET on_hand = k.on_hand, reserved = k.reserved,
	version = k.version, last_at = $6
FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::int8[], $5::int8[])
	AS k (org_id, sku_id, on_hand, reserved, version)
WHERE t.org_id = k.org_id AND t.sku_id = k.sku_id
