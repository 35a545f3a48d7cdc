COPY rejected (stream, log_seq, batch, pos, letter_id, decided_at, topic, part,
	src_offset, src_timestamp, record_key, value, header_names,
	header_values, error_class, reason, sqlstate)
	FROM STDIN (FORMAT binary)
