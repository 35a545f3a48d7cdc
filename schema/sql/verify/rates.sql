-- Verify countinghouse:rates on pg

BEGIN;
SELECT rule_id, name, org_id, scope, types, most, window_us, shares, number
	FROM ch.rate_rules WHERE false;
SELECT org_id, rule_id, subject, stamps, last_at
	FROM ch.rate_windows WHERE false;
ROLLBACK;
