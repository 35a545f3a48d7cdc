INSERT INTO outbox_retry (blocked_by, source, row_id, topic, part, record_key,
	value, header_names, header_values)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
