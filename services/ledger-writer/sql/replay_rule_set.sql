-- The rule as the change $1 left it.
INSERT INTO rate_rules OVERRIDING SYSTEM VALUE
SELECT (jsonb_populate_record(NULL::rate_rules, e.after)).*
FROM source_audit_events e
WHERE e.event_id = $1 AND e.action = 'set_rate_rule'
