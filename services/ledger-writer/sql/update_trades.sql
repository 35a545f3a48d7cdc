UPDATE own_trades t SET state = 'confirmed', confirmed_by = k.by,
	confirmed_at = $4
FROM unnest($1::int4[], $2::text[], $3::uuid[]) AS k (org_id, tx, by)
WHERE t.org_id = k.org_id AND t.tx = k.tx
