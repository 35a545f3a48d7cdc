-- The next rows of every stream behind what was read: no gaps, so a number
-- is a safe cursor. One page for each stream, in its order.
SELECT r.* FROM consumer_partitions c
LEFT JOIN unnest($1::int4[], $2::int8[]) AS d (stream, after)
	ON d.stream = c.stream
CROSS JOIN LATERAL (
	SELECT 0 AS source, stream, log_seq, decided_at, NULL::uuid AS letter_id,
		NULL::text AS topic, NULL::int4 AS part, NULL::int8 AS src_offset,
		record_key, NULL::bytea AS value, NULL::bytea[] AS header_names,
		NULL::bytea[] AS header_values, NULL::text AS error_class,
		NULL::text AS reason, NULL::text AS sqlstate,
		result, traceparent
	FROM command_log WHERE stream = c.stream
	AND log_seq > coalesce(d.after, 0)
	UNION ALL
	SELECT 1, stream, log_seq, decided_at, NULL, NULL, NULL, NULL,
		record_key, NULL, NULL, NULL, NULL, NULL, NULL,
		result, traceparent
	FROM answers WHERE stream = c.stream
	AND log_seq > coalesce(d.after, 0)
	UNION ALL
	SELECT 2, stream, log_seq, decided_at, letter_id, topic, part,
		src_offset, record_key, value, header_names, header_values,
		error_class, reason, sqlstate, NULL, NULL
	FROM rejected WHERE stream = c.stream
	AND log_seq > coalesce(d.after, 0)
	ORDER BY log_seq LIMIT $3
) AS r
ORDER BY r.stream, r.log_seq
