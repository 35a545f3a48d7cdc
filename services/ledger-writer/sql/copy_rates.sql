COPY rate_windows (org_id, rule_id, subject, stamps, last_at)
	FROM STDIN (FORMAT binary)
