COPY command_log (org_id, id, day, stream, log_seq, batch, pos, source,
	src_offset, decided_at, type, status, payload_hash, record_key, command,
	result, ref, actor, traceparent, changes) FROM STDIN (FORMAT binary)
