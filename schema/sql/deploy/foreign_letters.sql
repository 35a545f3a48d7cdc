-- Deploy countinghouse:foreign_letters to pg
-- Records of other systems' dead-letter topics as letters of the one list.

BEGIN;
SET LOCAL search_path = ch;

-- A record of a dead-letter topic, stored once. log_id: which log it stood in:
-- the topic's id, which is another when the topic is made anew (of brokers that
-- give none: a digest of cluster and name). dialect: whose headers it carries.
-- topic, part, src_offset, origin_at: where it came from, as those headers say;
-- topic '' where they do not. came_back: the letter whose replay it is.
-- at: when it was dead-lettered, never before an earlier record of its
-- partition, so that oldest first is the log's order. Insert-only.
CREATE TABLE foreign_letters (
	letter_id     uuid PRIMARY KEY,
	log_id        uuid NOT NULL,
	dlq_topic     text NOT NULL,
	dlq_part      int4 NOT NULL,
	dlq_offset    int8 NOT NULL,
	dialect       text NOT NULL,
	topic         text NOT NULL,
	part          int4,
	src_offset    int8,
	origin_at     timestamptz,
	record_key    bytea,
	value         bytea,
	header_names  bytea[] NOT NULL,
	header_values bytea[] NOT NULL,
	error_class   text NOT NULL,
	reason        text NOT NULL,
	attempts      int4 NOT NULL,
	at            timestamptz NOT NULL,
	came_back     uuid,
	imported_by   text NOT NULL CHECK (imported_by <> ''),
	imported_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
	UNIQUE (log_id, dlq_part, dlq_offset)
);
CREATE INDEX foreign_letters_at ON foreign_letters (at);
CREATE INDEX foreign_letters_back ON foreign_letters (came_back)
	WHERE came_back IS NOT NULL;

-- How far each partition of a dead-letter topic was read; moves in the
-- transaction that stores the letters. newest: the last letter's `at`.
CREATE TABLE foreign_cursors (
	log_id      uuid NOT NULL,
	part        int4 NOT NULL,
	cluster     text NOT NULL,
	topic       text NOT NULL,
	next_offset int8 NOT NULL,
	newest      timestamptz NOT NULL,
	updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (log_id, part)
);

-- kind: rejected (a record that the ledger could not read or apply), delivery
-- (one that its target refused), or foreign (one of another system's topic).
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
		SELECT letter_id, 'foreign', topic, part, src_offset,
			dlq_topic || '-' || dlq_part || '-' || dlq_offset,
			dlq_offset, record_key, value, header_names,
			header_values, error_class, reason, attempts, NULL, at,
			false, NULL
		FROM foreign_letters
		UNION ALL
		SELECT letter_id, kind, topic, part, src_offset, row_id,
			row_order, record_key, value, header_names,
			header_values, error_class, reason, attempts, sqlstate,
			at, blocks_key, original_id
		FROM letter_edits
	) l LEFT JOIN letter_states s USING (letter_id);

-- What became of a plan's replays. A rejected record: read again by the ledger,
-- and of those, rejected again (the record at the replay's offset that carries
-- its letter's id). A delivery is done when it is acknowledged; so is a foreign
-- one, unless an import has found it in a dead-letter topic since.
CREATE OR REPLACE FUNCTION replay_plan_returns(plan int8, OUT sent int8,
	OUT judged int8, OUT returned int8)
	LANGUAGE sql STABLE SET search_path = ch, pg_temp AS $$
	WITH replays AS MATERIALIZED (
		SELECT r.*, EXISTS (SELECT FROM dead_letters d
				WHERE d.letter_id = r.letter_id)
			OR EXISTS (SELECT FROM foreign_letters f
				WHERE f.letter_id = r.letter_id)
			OR EXISTS (SELECT FROM letter_edits e
				WHERE e.letter_id = r.letter_id
				AND e.kind IN ('delivery', 'foreign'))
			AS done_when_sent
		FROM letter_replays r WHERE r.plan_id = plan
	)
	SELECT count(*), count(*) FILTER (WHERE r.done_when_sent
			OR c.next_offset > r.log_offset),
		(SELECT count(*) FROM replays b JOIN rejected j
			ON j.topic = b.topic AND j.part = b.part
			AND j.src_offset = b.log_offset
		WHERE convert_to(b.letter_id::text, 'UTF8') = ANY (j.header_values)
		AND j.decided_at > (SELECT min(at) - interval '1 hour'
			FROM replays))
		+ (SELECT count(DISTINCT b.letter_id) FROM replays b
			JOIN foreign_letters f ON f.came_back = b.letter_id)
	FROM replays r
	LEFT JOIN consumer_partitions c ON c.topic = r.topic AND c.part = r.part
	$$;

ALTER TABLE foreign_letters ENABLE ROW LEVEL SECURITY;
CREATE POLICY services ON foreign_letters
	TO ch_writer, ch_relay, ch_reconciler, ch_cache, ch_operator
	USING (true) WITH CHECK (true);

GRANT SELECT, INSERT ON foreign_letters TO ch_operator;
GRANT SELECT, INSERT, UPDATE (next_offset, newest, updated_at)
	ON foreign_cursors TO ch_operator;
GRANT SELECT ON foreign_letters, foreign_cursors TO ch_relay, ch_reconciler;

COMMIT;
