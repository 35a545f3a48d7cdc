COPY order_fills (org_id, order_id, fill, qty, price, command_id, decided_at)
	FROM STDIN (FORMAT binary)
