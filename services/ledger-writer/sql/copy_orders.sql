COPY orders (org_id, order_id, name, market, side, qty, filled, price, state,
	version, last_at)
	FROM STDIN (FORMAT binary)
