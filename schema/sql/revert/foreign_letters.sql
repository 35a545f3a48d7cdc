-- Revert countinghouse:foreign_letters from pg
-- The view and the function are those of relay and of plans again.
BEGIN;
SET LOCAL search_path = ch;
CREATE OR REPLACE VIEW letters AS
	SELECT l.letter_id, l.kind, l.topic, l.part, l.src_offset, l.row_id,
		l.row_order, l.record_key, l.value, l.header_names,
		l.header_values, l.error_class, l.reason, l.attempts, l.sqlstate,
		l.at, l.blocks_key,
		CASE WHEN coalesce(s.state = 'replayed', false)
				AND letter_resolved(l.letter_id)
			THEN 'resolved'
			ELSE coalesce(s.held, s.state, 'pending') END AS state,
		coalesce(s.replay_count, 0) AS replay_count,
		s.changed_at, s.actor, s.reason AS state_reason, l.original_id
	FROM (
		SELECT letter_id, 'rejected'::text AS kind, topic, part,
			src_offset, stream || '-' || log_seq AS row_id,
			log_seq AS row_order,
			record_key, value, header_names, header_values,
			error_class, reason, 1 AS attempts, sqlstate,
			decided_at AS at, false AS blocks_key,
			NULL::uuid AS original_id
		FROM rejected
		UNION ALL
		SELECT letter_id, 'delivery', topic, part, NULL, row_id, NULL,
			record_key, value, header_names, header_values,
			error_class, reason, attempts, NULL, parked_at,
			blocks_key, NULL
		FROM dead_letters
		UNION ALL
		SELECT letter_id, kind, topic, part, src_offset, row_id,
			row_order, record_key, value, header_names,
			header_values, error_class, reason, attempts, sqlstate,
			at, blocks_key, original_id
		FROM letter_edits
	) l LEFT JOIN letter_states s USING (letter_id);
CREATE OR REPLACE FUNCTION replay_plan_returns(plan int8, OUT sent int8, OUT judged int8,
	OUT returned int8)
	LANGUAGE sql STABLE SET search_path = ch, pg_temp AS $$
	WITH replays AS MATERIALIZED (
		SELECT r.*, EXISTS (SELECT FROM dead_letters d
				WHERE d.letter_id = r.letter_id)
			OR EXISTS (SELECT FROM letter_edits e
				WHERE e.letter_id = r.letter_id
				AND e.kind = 'delivery') AS delivery
		FROM letter_replays r WHERE r.plan_id = plan
	)
	SELECT count(*), count(*) FILTER (WHERE r.delivery
			OR c.next_offset > r.log_offset),
		(SELECT count(*) FROM replays b JOIN rejected j
			ON j.topic = b.topic AND j.part = b.part
			AND j.src_offset = b.log_offset
		WHERE convert_to(b.letter_id::text, 'UTF8') = ANY (j.header_values)
		AND j.decided_at > (SELECT min(at) - interval '1 hour'
			FROM replays))
	FROM replays r
	LEFT JOIN consumer_partitions c ON c.topic = r.topic AND c.part = r.part
	$$;
DROP TABLE foreign_cursors, foreign_letters;
COMMIT;
