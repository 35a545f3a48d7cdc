-- A letter of its own, like its original but for the value.
WITH made AS (
	INSERT INTO letter_edits (letter_id, original_id, kind, topic, part,
		src_offset, row_id, row_order, record_key, value, header_names,
		header_values, error_class, reason, attempts, sqlstate, at,
		blocks_key, difference, edited_by, edited_why)
	SELECT $2::uuid, letter_id, kind, topic, part, src_offset, row_id,
		row_order, record_key, $3::bytea, header_names, header_values,
		error_class, reason, attempts, sqlstate, at, blocks_key,
		$4::text::jsonb, $5::text, $6::text
	FROM letters WHERE letter_id = $1
), known AS (
	INSERT INTO letter_states (letter_id, replay_count) VALUES ($2, $7)
)
INSERT INTO audit_events (actor, action, subject, reason, before, after)
VALUES ($5, 'dlq.edited', $2::uuid::text, $6,
	jsonb_build_object('original', $1::uuid), jsonb_build_object('difference',
	CASE WHEN length($4) < 4000 THEN $4::jsonb
	ELSE '"too long: see letter_edits"'::jsonb END))
