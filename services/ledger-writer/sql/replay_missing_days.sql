-- Days of the log that were dropped, and where they are: those with rows at or
-- past the vector of snapshot $1 (NULL: all) are needed.
SELECT e.subject, coalesce(e.before#>>'{archive,file}', ''),
	coalesce(e.before#>>'{archive,sha256}', ''),
	bool_or(t.value::int8 >= coalesce(v.next_log_seq, 1))
FROM source_audit_events e, jsonb_each_text(e.before->'tops') t
LEFT JOIN source_snapshot_streams v
	ON v.stream = t.key::int4 AND v.snapshot_id = $1::int8
WHERE e.action = 'drop_day' AND starts_with(e.subject, 'command_log_')
GROUP BY e.event_id, e.subject, e.before ORDER BY 1
