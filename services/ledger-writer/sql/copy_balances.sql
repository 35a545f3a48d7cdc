COPY balances (org_id, account_id, shard, balance, held, floor, version,
	closed, last_at)
	FROM STDIN (FORMAT binary)
