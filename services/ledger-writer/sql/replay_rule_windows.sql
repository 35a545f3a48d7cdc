-- As ch.set_rate_rule() and ch.drop_rate_rule(): what the change $1 does to the
-- windows of its rule.
DELETE FROM rate_windows w USING rate_rules r, source_audit_events e
WHERE e.event_id = $1 AND r.name = e.subject AND w.rule_id = r.rule_id
AND (e.action = 'drop_rate_rule' OR (r.org_id::text, r.scope, r.shares::text)
	IS DISTINCT FROM (e.after->>'org_id', e.after->>'scope',
		e.after->>'shares'))
