-- Letters of either kind, oldest first, and how many there are beyond the limit:
-- of all that fit, or of one more than the limit.
WITH fitting AS NOT MATERIALIZED (
	SELECT * FROM letters WHERE {where}
)
SELECT letter_id, kind, topic, part, src_offset, row_id, record_key, {value},
	header_names, header_values, error_class, reason, attempts, at, state,
	replay_count, blocks_key, actor, state_reason, original_id,
	fingerprint,
	(SELECT count(*) FROM ({fitting}) n), coalesce(octet_length(value), 0)::int8
FROM fitting ORDER BY at, row_order, letter_id LIMIT $7
