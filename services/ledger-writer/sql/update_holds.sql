UPDATE holds h SET state = k.state, captured = k.captured,
	version = k.version, last_at = $6
FROM unnest($1::int4[], $2::int8[], $3::text[], $4::int8[], $5::int8[])
	AS k (org_id, hold_id, state, captured, version)
WHERE h.org_id = k.org_id AND h.hold_id = k.hold_id
