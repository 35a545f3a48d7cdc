COPY stock (org_id, sku_id, on_hand, reserved, version, last_at)
	FROM STDIN (FORMAT binary)
