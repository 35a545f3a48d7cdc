COPY reservations (org_id, reservation_id, sku_id, name, qty, state,
	committed_qty, expires_at, stream, version, last_at)
	FROM STDIN (FORMAT binary)
