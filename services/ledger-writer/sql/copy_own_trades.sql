COPY own_trades (org_id, tx, account_id, market_id, outcome, side, position,
	lock, skim, qty, price, state, recorded_by, recorded_at, confirmed_by,
	confirmed_at)
	FROM STDIN (FORMAT binary)
