COPY ledger_markets (org_id, market_id, name, asset, address, state,
	payer_id, payouts, reserved, stream, version, last_at)
	FROM STDIN (FORMAT binary)
