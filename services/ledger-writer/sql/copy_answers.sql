COPY answers (stream, log_seq, batch, pos, src_offset, decided_at, org_id,
	id_text, status, record_key, result, traceparent)
	FROM STDIN (FORMAT binary)
