UPDATE positions p SET qty = k.qty, lock = k.lock, belief = k.belief,
	meta = k.meta, paid = k.paid, version = k.version, last_at = $9
FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::int8[], $5::int8[],
	$6::int8[], $7::int8[], $8::int8[])
	AS k (org_id, position_id, qty, lock, belief, meta, paid, version)
WHERE p.org_id = k.org_id AND p.position_id = k.position_id
