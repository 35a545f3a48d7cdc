-- Deploy countinghouse:relay to pg
-- What leaves the database and how far it has come: the publication, the
-- relay's progress, deliveries that wait behind a blocked key, dead letters
-- and what operators did with them.

BEGIN;
SET LOCAL search_path = ch;

-- Inserts only, under the roots' names; only the columns that leave. It must
-- be older than the slot's position, hence it is made here.
CREATE PUBLICATION ch_relay FOR TABLE
	ch.command_log (stream, log_seq, decided_at, record_key, result,
		traceparent),
	ch.answers (stream, log_seq, decided_at, record_key, result,
		traceparent),
	ch.rejected,
	ch.outbox (seq, id, aggregatetype, aggregateid, type, payload,
		created_at, traceparent)
	WITH (publish = 'insert', publish_via_partition_root = true);

-- Finds what a stored snapshot had not seen without an index on the hot path:
-- xids rise with the blocks.
CREATE INDEX outbox_xid ON outbox USING brin (((xid::text)::int8))
	WITH (pages_per_range = 32, autosummarize = on);

-- One row a slot. lsn: everything before it is delivered or parked; NULL:
-- not known, the tables are scanned. log_seqs[i] is delivered of streams[i].
-- Every row that snapshot sees is delivered; NULL: none.
CREATE TABLE relay_progress (
	slot       text PRIMARY KEY,
	system_id  text NOT NULL DEFAULT '',
	timeline   int4 NOT NULL DEFAULT 0,
	lsn        pg_lsn,
	streams    int4[] NOT NULL DEFAULT '{}',
	log_seqs   int8[] NOT NULL DEFAULT '{}',
	snapshot   pg_snapshot,
	owner      text NOT NULL DEFAULT '',
	updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	CHECK (cardinality(streams) = cardinality(log_seqs))
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0,
	autovacuum_vacuum_threshold = 200);

-- When a stream's delivered log_seq had come to where it was, by the relay's
-- clock: written with each save of relay_progress that found it further, so
-- that a row's delivery lies between the last mark before it and the first one
-- that is not. Insert-only, and rises: what is delivered again leaves no mark.
-- They go with the days of the log (retention.sql).
CREATE TABLE delivery_marks (
	slot    text NOT NULL,
	stream  int4 NOT NULL,
	log_seq int8 NOT NULL,
	at      timestamptz NOT NULL,
	PRIMARY KEY (slot, stream, log_seq)
);
CREATE INDEX delivery_marks_at ON delivery_marks USING brin (at)
	WITH (pages_per_range = 32, autosummarize = on);

-- A delivery that its target refused for good: all that is needed to make it
-- again. source and row_id name the row that it was made of. letter_id is a
-- function of them, the topic and the row's time (of an application's row, of
-- key and value too), so that a repeated read makes no second one.
-- is_open: letter_states has it pending, so that those that wait are found
-- without those that are decided. The row was committed before parked_lsn.
-- came_back: the letter of an endpoint that was replayed and became this one.
CREATE TABLE dead_letters (
	letter_id     uuid PRIMARY KEY,
	source        text NOT NULL,
	row_id        text NOT NULL,
	topic         text NOT NULL,
	part          int4,               -- NULL: by the key
	record_key    bytea,
	value         bytea,
	header_names  bytea[] NOT NULL DEFAULT '{}',
	header_values bytea[] NOT NULL DEFAULT '{}',
	error_class   text NOT NULL,
	reason        text NOT NULL,
	attempts      int4 NOT NULL,
	blocks_key    boolean NOT NULL,   -- later rows of the key wait for it
	parked_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
	is_open       boolean NOT NULL DEFAULT true,
	parked_lsn    pg_lsn NOT NULL DEFAULT pg_current_wal_insert_lsn(),
	came_back     uuid
);
CREATE INDEX dead_letters_parked ON dead_letters (parked_at);
CREATE INDEX dead_letters_open ON dead_letters (parked_at) WHERE is_open;
CREATE INDEX dead_letters_blocking ON dead_letters (parked_at)
	WHERE is_open AND blocks_key;
CREATE INDEX dead_letters_row ON dead_letters (source, row_id);
CREATE INDEX dead_letters_back ON dead_letters (came_back)
	WHERE came_back IS NOT NULL;

-- Deliveries whose key is blocked by a dead letter, oldest first. An
-- application's row_id is not unique: ids may come again with other events.
CREATE TABLE outbox_retry (
	retry_id      int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	blocked_by    uuid NOT NULL,
	source        text NOT NULL,
	row_id        text NOT NULL,
	topic         text NOT NULL,
	part          int4,
	record_key    bytea,
	value         bytea,
	header_names  bytea[] NOT NULL DEFAULT '{}',
	header_values bytea[] NOT NULL DEFAULT '{}',
	waits_since   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX outbox_retry_blocker ON outbox_retry (blocked_by, retry_id);
CREATE INDEX outbox_retry_row ON outbox_retry (source, row_id);

-- What operators decided about a letter of either kind; no row: pending.
-- replayed: sent again; resolved: its effect has been seen, the delivery was
-- acknowledged, or an endpoint refused it again and another letter stands for
-- it; discarded: never to be sent. held: why a letter that is
-- pending is not offered: quarantined (it came back too often) or edited
-- (another letter stands for it). It counts as pending for all that waits for
-- it: its key, and the day that keeps it.
CREATE TABLE letter_states (
	letter_id    uuid PRIMARY KEY,
	state        text NOT NULL DEFAULT 'pending' CHECK (state IN
		('pending', 'replayed', 'resolved', 'discarded')),
	replay_count int4 NOT NULL DEFAULT 0,
	changed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
	actor        text NOT NULL DEFAULT '',
	reason       text NOT NULL DEFAULT '',
	held         text CHECK (held IN ('quarantined', 'edited')),
	CONSTRAINT letter_states_held CHECK (held IS NULL OR state = 'pending')
);

CREATE FUNCTION mark_letter_open() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
BEGIN
	UPDATE dead_letters d SET is_open = NEW.state = 'pending'
		WHERE d.letter_id = NEW.letter_id
		AND d.is_open <> (NEW.state = 'pending');
	RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION mark_letter_open FROM PUBLIC;
CREATE TRIGGER letter_states_decided AFTER INSERT ON letter_states
	FOR EACH ROW WHEN (NEW.state <> 'pending')
	EXECUTE FUNCTION mark_letter_open();
CREATE TRIGGER letter_states_turned AFTER UPDATE OF state ON letter_states
	FOR EACH ROW WHEN ((NEW.state = 'pending') <> (OLD.state = 'pending'))
	EXECUTE FUNCTION mark_letter_open();

-- Each time a letter was sent again, and where to. Insert-only. org, command_id
-- and command_day: which command it was, where that could be read. plan_id: of
-- the plan that sent it; NULL: by hand.
CREATE TABLE letter_replays (
	replay_id    int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	letter_id    uuid NOT NULL,
	replay_count int4 NOT NULL,
	topic        text NOT NULL,
	part         int4 NOT NULL,
	log_offset   int8 NOT NULL,
	org          text,
	command_id   uuid,
	command_day  date,
	actor        text NOT NULL CHECK (actor <> ''),
	reason       text NOT NULL CHECK (reason <> ''),
	at           timestamptz NOT NULL DEFAULT clock_timestamp(),
	plan_id      int8
);
CREATE INDEX letter_replays_letter ON letter_replays (letter_id);
CREATE INDEX letter_replays_of_plan ON letter_replays (plan_id, letter_id)
	WHERE plan_id IS NOT NULL;

-- A letter whose value an operator changed: a letter of its own, linked to its
-- original, which waits as `edited` until this one is decided. Insert-only.
-- difference: {"at", "removed", "inserted"}: the original's value with so many
-- bytes at that place exchanged is this one's (texts in hex).
CREATE TABLE letter_edits (
	letter_id     uuid PRIMARY KEY,
	original_id   uuid NOT NULL UNIQUE,
	kind          text NOT NULL,
	topic         text NOT NULL,
	part          int4,
	src_offset    int8,
	row_id        text NOT NULL,
	row_order     int8,
	record_key    bytea,
	value         bytea,
	header_names  bytea[] NOT NULL,
	header_values bytea[] NOT NULL,
	error_class   text NOT NULL,
	reason        text NOT NULL,
	attempts      int4 NOT NULL,
	sqlstate      text,
	at            timestamptz NOT NULL,
	blocks_key    boolean NOT NULL,
	difference    jsonb NOT NULL,
	edited_by     text NOT NULL CHECK (edited_by <> ''),
	edited_why    text NOT NULL CHECK (edited_why <> ''),
	edited_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
	edited_role   text NOT NULL DEFAULT session_user
);

-- Has the ledger taken the id of a command that was replayed? (A replay is
-- refused when it has already, so what is there came later.)
CREATE FUNCTION letter_resolved(letter uuid) RETURNS boolean
	LANGUAGE sql STABLE SET search_path = ch, pg_temp AS $$
	SELECT EXISTS (SELECT FROM letter_replays r
		JOIN orgs o ON o.name = r.org
		JOIN command_log c ON c.org_id = o.org_id
			AND c.id = r.command_id AND c.day = r.command_day
		WHERE r.letter_id = letter) $$;
GRANT EXECUTE ON FUNCTION letter_resolved TO ch_relay, ch_operator,
	ch_reconciler;

-- Bytes as people search them: UTF-8 where it is, else with \ooo. (A function
-- with a block for errors cannot be run in parallel.)
CREATE FUNCTION letter_text(bytes bytea) RETURNS text
	LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
	RETURN convert_from(bytes, 'UTF8');
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
	RETURN encode(bytes, 'escape');
END $$;

-- A reason without what differs from letter to letter: quoted texts, ids and
-- numbers.
CREATE FUNCTION letter_pattern(reason text) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
	SELECT regexp_replace(regexp_replace(reason, '"[^"]*"', '""', 'g'),
		'[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}'
		|| '|[0-9a-fA-F]{16,}|[0-9]+', '#', 'g') $$;
-- The same cause has the same fingerprint, on every machine and for good.
CREATE FUNCTION letter_fingerprint(class text, reason text) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
	SELECT left(encode(sha256(convert_to(class || E'\n'
		|| ch.letter_pattern(reason), 'UTF8')), 'hex'), 12) $$;

-- The fingerprint is stored with the letter: of a million it is not made anew at
-- each look. NULL: of before there was one.
CREATE FUNCTION sort_letter() RETURNS trigger
	LANGUAGE plpgsql SET search_path = ch, pg_temp AS $$
BEGIN
	NEW.fingerprint := letter_fingerprint(NEW.error_class, NEW.reason);
	RETURN NEW;
END $$;
ALTER TABLE rejected ADD COLUMN fingerprint text;
ALTER TABLE dead_letters ADD COLUMN fingerprint text;
ALTER TABLE foreign_letters ADD COLUMN fingerprint text;
ALTER TABLE letter_edits ADD COLUMN fingerprint text;
CREATE TRIGGER rejected_sorted BEFORE INSERT ON rejected
	FOR EACH ROW EXECUTE FUNCTION sort_letter();
CREATE TRIGGER dead_letters_sorted BEFORE INSERT ON dead_letters
	FOR EACH ROW EXECUTE FUNCTION sort_letter();
CREATE TRIGGER foreign_letters_sorted BEFORE INSERT ON foreign_letters
	FOR EACH ROW EXECUTE FUNCTION sort_letter();
CREATE TRIGGER letter_edits_sorted BEFORE INSERT ON letter_edits
	FOR EACH ROW EXECUTE FUNCTION sort_letter();

-- The three stores as one list, and what was edited of them. kind: rejected (a
-- record that the ledger could not read or apply), delivery (one that its target
-- refused), or foreign (one of another system's dead-letter topic). stored_state:
-- as it was written down, which costs nothing to tell: `resolved` may still be
-- `replayed` there.
CREATE VIEW letters AS
	SELECT l.letter_id, l.kind, l.topic, l.part, l.src_offset, l.row_id,
		l.row_order, l.record_key, l.value, l.header_names,
		l.header_values, CASE l.error_class
		WHEN 'MSG_SIZE_TOO_LARGE' THEN 'too_large' -- of before
		ELSE l.error_class END AS error_class,
		l.reason, l.attempts, l.sqlstate,
		l.at, l.blocks_key,
		CASE WHEN coalesce(s.state = 'replayed', false)
				AND letter_resolved(l.letter_id)
			THEN 'resolved'
			ELSE coalesce(s.held, s.state, 'pending') END AS state,
		coalesce(s.replay_count, 0) AS replay_count,
		s.changed_at, s.actor, s.reason AS state_reason, l.original_id,
		coalesce(l.fingerprint,
			letter_fingerprint(l.error_class, l.reason)) AS fingerprint,
		coalesce(s.held, s.state, 'pending') AS stored_state
	FROM (
		SELECT letter_id, 'rejected'::text AS kind, topic, part,
			src_offset, stream || '-' || log_seq AS row_id,
			log_seq AS row_order,
			record_key, value, header_names, header_values,
			error_class, reason, 1 AS attempts, sqlstate,
			decided_at AS at, false AS blocks_key,
			NULL::uuid AS original_id, fingerprint
		FROM rejected
		UNION ALL
		SELECT letter_id, 'delivery', topic, part, NULL, row_id, NULL,
			record_key, value, header_names, header_values,
			error_class, reason, attempts, NULL, parked_at,
			blocks_key, NULL, fingerprint
		FROM dead_letters
		UNION ALL
		SELECT letter_id, 'foreign', topic, part, src_offset,
			dlq_topic || '-' || dlq_part || '-' || dlq_offset,
			dlq_offset, record_key, value, header_names,
			header_values, error_class, reason, attempts, NULL, at,
			false, NULL, fingerprint
		FROM foreign_letters
		UNION ALL
		SELECT letter_id, kind, topic, part, src_offset, row_id,
			row_order, record_key, value, header_names,
			header_values, error_class, reason, attempts, sqlstate,
			at, blocks_key, original_id, fingerprint
		FROM letter_edits
	) l LEFT JOIN letter_states s USING (letter_id);

GRANT SELECT, INSERT, UPDATE ON relay_progress TO ch_relay;
GRANT SELECT, INSERT ON delivery_marks TO ch_relay;
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox_retry TO ch_relay;
GRANT SELECT, INSERT ON dead_letters TO ch_relay;
GRANT SELECT ON letter_states, letter_replays TO ch_relay, ch_operator;
GRANT SELECT ON letter_edits TO ch_operator;
GRANT SELECT ON letters TO ch_relay, ch_operator, ch_reconciler;
GRANT SELECT ON relay_progress, delivery_marks, outbox_retry, dead_letters
	TO ch_operator, ch_reconciler;
GRANT SELECT ON letter_edits TO ch_relay, ch_reconciler;
GRANT SELECT ON letter_states, letter_replays TO ch_reconciler;

COMMIT;
