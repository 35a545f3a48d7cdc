COPY positions (org_id, position_id, account_id, market_id, outcome, qty,
	lock, belief, meta, version, last_at)
	FROM STDIN (FORMAT binary)
