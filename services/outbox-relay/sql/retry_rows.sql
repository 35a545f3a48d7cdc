SELECT retry_id, topic, waits_since, part, record_key, value, header_names,
	header_values, source, row_id, blocked_by
FROM outbox_retry WHERE blocked_by = $1 AND retry_id > $2
ORDER BY retry_id LIMIT $3
