-- Rules are changed under the pause lock, which is held shared here.
SELECT r.rule_id, r.name, coalesce(o.name, ''), r.scope = 'actor', r.types,
	r.most, r.window_us, r.shares
FROM rate_rules r LEFT JOIN orgs o ON o.org_id = r.org_id
ORDER BY r.rule_id
