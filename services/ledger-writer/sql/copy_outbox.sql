COPY outbox (seq, id, aggregatetype, aggregateid, type, payload, created_at,
	traceparent) FROM STDIN (FORMAT binary)
