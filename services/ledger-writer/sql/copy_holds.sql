COPY holds (org_id, hold_id, account_id, name, amount, state, captured,
	expires_at, stream, version, last_at)
	FROM STDIN (FORMAT binary)
