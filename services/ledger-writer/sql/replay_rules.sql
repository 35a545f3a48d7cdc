-- Changes of rate rules from a number on, as the audit trail has them.
SELECT event_id, coalesce((after->>'number')::int8, 0)
FROM source_audit_events
WHERE action IN ('set_rate_rule', 'drop_rate_rule')
AND (after->>'number')::int8 >= $1
ORDER BY 2, 1
