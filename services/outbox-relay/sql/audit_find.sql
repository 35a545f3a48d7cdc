-- What operators did to the dead letters, the newest first; $1 NULL: to any.
SELECT event_id, jsonb_build_object('event', event_id,
	'at', to_char(at AT TIME ZONE 'UTC',
		'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
	'actor', actor, 'role', db_role, 'action', action, 'subject', subject,
	'reason', reason, 'before', before, 'after', after)::text
FROM audit_events
WHERE action LIKE 'dlq.%' AND ($1::text IS NULL OR subject = $1)
AND ($2::int8 = 0 OR event_id < $2)
ORDER BY event_id DESC LIMIT $3
