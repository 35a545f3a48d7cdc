COPY postings (org_id, account_id, batch, pos, leg, shard, amount,
	balance_after, command_id, decided_at) FROM STDIN (FORMAT binary)
