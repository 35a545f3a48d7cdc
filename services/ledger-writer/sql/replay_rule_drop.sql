-- The rule that the change $1 replaces or drops.
DELETE FROM rate_rules r USING source_audit_events e
WHERE e.event_id = $1 AND r.name = e.subject
