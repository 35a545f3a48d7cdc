UPDATE reservations r SET state = k.state, committed_qty = k.committed_qty,
	version = k.version, last_at = $6
FROM unnest($1::int4[], $2::int8[], $3::text[], $4::int8[], $5::int8[])
	AS k (org_id, reservation_id, state, committed_qty, version)
WHERE r.org_id = k.org_id AND r.reservation_id = k.reservation_id
