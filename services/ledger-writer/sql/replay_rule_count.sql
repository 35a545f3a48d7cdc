SELECT count(*) FROM rate_rules
