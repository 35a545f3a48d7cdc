COPY reversals (org_id, transfer_id, member, reversed_by, batch, decided_at)
	FROM STDIN (FORMAT binary)
