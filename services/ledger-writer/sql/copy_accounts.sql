COPY accounts (org_id, account_id, name, asset, scale, shards)
	FROM STDIN (FORMAT binary)
