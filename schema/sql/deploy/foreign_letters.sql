-- Deploy countinghouse:foreign_letters to pg
-- Records of other systems' dead-letter topics as letters; relay makes them
-- part of the one list.

BEGIN;
SET LOCAL search_path = ch;

-- A record of a dead-letter topic, stored once. log_id: which log it stood in:
-- the topic's id, which is another when the topic is made anew (of brokers that
-- give none: a digest of cluster and name). dialect: whose headers it carries.
-- topic, part, src_offset, origin_at: where it came from, as those headers say;
-- topic '' where they do not. came_back: the letter whose replay it is.
-- at: when it was dead-lettered, never before an earlier record of its
-- partition, so that oldest first is the log's order. imported_by, imported_role:
-- who says that the record stands there. Insert-only.
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
	imported_role text NOT NULL DEFAULT session_user,
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

-- Both are written by the functions of decisions.
GRANT SELECT ON foreign_letters, foreign_cursors
	TO ch_operator, ch_relay, ch_reconciler;

COMMIT;
