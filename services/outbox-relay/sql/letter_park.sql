INSERT INTO dead_letters (letter_id, source, row_id, topic, part, record_key,
	value, header_names, header_values, error_class, reason, attempts,
	blocks_key)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (letter_id) DO NOTHING
