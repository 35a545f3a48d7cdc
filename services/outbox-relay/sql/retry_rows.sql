-- What waits behind letters $1, of each behind its retry_id in $2: $3 rows of
-- each, until they are $4 bytes together (one row is always given). place: of
-- its letter in $1; found: how many rows there were before bytes cut them off.
-- LIMIT 1 keeps the planner from reading the table whole for a page.
SELECT r.retry_id, r.topic, r.waits_since, r.part, r.record_key, r.value,
	r.header_names, r.header_values, r.source, r.row_id, r.blocked_by,
	s.place, s.found
FROM (
	SELECT w.retry_id, k.place, count(*) OVER () AS found,
		(sum(w.size) OVER (ORDER BY k.place, w.retry_id) - w.size)::int8
			AS before
	FROM unnest($1::uuid[], $2::int8[]) WITH ORDINALITY
		AS k (letter, after, place)
	CROSS JOIN LATERAL (
		SELECT retry_id, coalesce(octet_length(value), 0)
			+ pg_column_size(header_values) AS size
		FROM outbox_retry
		WHERE blocked_by = k.letter AND retry_id > k.after
		ORDER BY retry_id LIMIT $3) AS w
) AS s CROSS JOIN LATERAL (
	SELECT * FROM outbox_retry o WHERE o.retry_id = s.retry_id LIMIT 1) AS r
WHERE s.before < $4
ORDER BY s.place, s.retry_id
