UPDATE orders o SET state = k.state, filled = k.filled,
	version = k.version, last_at = $6
FROM unnest($1::int4[], $2::int8[], $3::text[], $4::int8[], $5::int8[])
	AS k (org_id, order_id, state, filled, version)
WHERE o.org_id = k.org_id AND o.order_id = k.order_id
