-- Deploy countinghouse:command_log to pg
-- Where each record of a topic ended: one row, in the transaction that also
-- moved the topic's offset. log_seq numbers the rows of command_log, answers
-- and rejected together, per stream, without a gap, in commit order.

BEGIN;
SET LOCAL search_path = ch;

-- One row a topic partition: the fence (epoch), the offset, the next log_seq.
CREATE TABLE consumer_partitions (
	topic         text NOT NULL,
	part          int4 NOT NULL CHECK (part >= 0),
	stream        int4 NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE,
	epoch         int8 NOT NULL DEFAULT 0,
	owner         text NOT NULL DEFAULT '',
	backend_pid   int4,
	backend_start timestamptz,
	next_offset   int8 NOT NULL DEFAULT 0,
	leader_epoch  int4 NOT NULL DEFAULT -1, -- Kafka's, of the record before;
	                                        -- -1: not known
	next_log_seq  int8 NOT NULL DEFAULT 1,
	last_at       timestamptz NOT NULL DEFAULT 'epoch',
	cluster_id    text NOT NULL DEFAULT '',
	topic_id      text NOT NULL DEFAULT '',
	-- What of the log was decided: [begun_at, next_offset) since the last
	-- restart, `decided` before it, of the topic with id decided_of.
	begun_at      int8 NOT NULL DEFAULT 0,
	decided       int8multirange NOT NULL DEFAULT '{}',
	decided_of    text NOT NULL DEFAULT '',
	cut_at        int8,       -- where the log was seen to end, below that
	PRIMARY KEY (topic, part)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0,
	autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);

-- A command that took its id for good. day is the day of the id's own time.
CREATE TABLE command_log (
	org_id       int4 NOT NULL,
	id           uuid NOT NULL,
	day          date NOT NULL,
	stream       int4 NOT NULL,
	log_seq      int8 NOT NULL,
	batch        int8 NOT NULL,
	pos          int4 NOT NULL,
	source       text NOT NULL CHECK (source IN ('kafka', 'timer')),
	src_offset   int8,                -- NULL for a timer
	decided_at   timestamptz NOT NULL,
	type         text NOT NULL,
	status       text NOT NULL,
	payload_hash bytea NOT NULL CHECK (octet_length(payload_hash) = 32),
	record_key   bytea,
	command      bytea NOT NULL,      -- as read, byte for byte
	result       text NOT NULL,       -- as it goes to ledger.results
	ref          text,
	actor        text,
	traceparent  text,
	changes      text,                -- [kind, name, figure, before, after];
	                                  -- NULL: they follow (command_changes)
	PRIMARY KEY (org_id, id, day)
) PARTITION BY RANGE (day);
CREATE INDEX command_log_stream ON command_log (stream, log_seq);
-- Of commands that have one: the others cost nothing.
CREATE INDEX command_log_ref ON command_log (org_id, ref) WHERE ref IS NOT NULL;

-- An answer that does not take the id.
CREATE TABLE answers (
	stream      int4 NOT NULL,
	log_seq     int8 NOT NULL,
	batch       int8 NOT NULL,
	pos         int4 NOT NULL,
	src_offset  int8,
	decided_at  timestamptz NOT NULL,
	org_id      int4,
	id_text     text NOT NULL,
	status      text NOT NULL,
	record_key  bytea,
	result      text NOT NULL,
	traceparent text
) PARTITION BY RANGE (decided_at);
CREATE INDEX answers_stream ON answers (stream, log_seq);

-- A record that could not be read or applied: everything of it, untouched.
CREATE TABLE rejected (
	stream        int4 NOT NULL,
	log_seq       int8 NOT NULL,
	batch         int8 NOT NULL,
	pos           int4 NOT NULL,
	letter_id     uuid NOT NULL,
	decided_at    timestamptz NOT NULL,
	topic         text NOT NULL,
	part          int4 NOT NULL,
	src_offset    int8 NOT NULL,
	src_timestamp timestamptz,
	record_key    bytea,
	value         bytea,
	header_names  bytea[] NOT NULL DEFAULT '{}',
	header_values bytea[] NOT NULL DEFAULT '{}', -- elements may be NULL
	error_class   text NOT NULL,
	reason        text NOT NULL,
	sqlstate      text
) PARTITION BY RANGE (decided_at);
CREATE INDEX rejected_stream ON rejected (stream, log_seq);
CREATE INDEX rejected_letter ON rejected (letter_id);

-- Events, in Debezium's column names. seq = batch * 2^20 + place in the batch:
-- the batch's number is drawn while the aggregate's row is locked, so seq
-- orders the events of one aggregate. xid lets a re-scan tell what a stored
-- snapshot had not seen.
CREATE TABLE outbox (
	seq           int8 NOT NULL,
	id            uuid NOT NULL,
	aggregatetype varchar(255) NOT NULL,
	aggregateid   varchar(255) NOT NULL,
	type          varchar(255) NOT NULL,
	payload       text,
	created_at    timestamptz NOT NULL,
	traceparent   text,
	xid           xid8 NOT NULL DEFAULT pg_current_xact_id()
) PARTITION BY RANGE (created_at);
CREATE INDEX outbox_seq ON outbox (seq);

INSERT INTO retention VALUES
	('command_log', 35, (now() AT TIME ZONE 'UTC')::date - 1),
	('answers', 35, (now() AT TIME ZONE 'UTC')::date - 1),
	('rejected', 35, (now() AT TIME ZONE 'UTC')::date - 1),
	('outbox', 7, (now() AT TIME ZONE 'UTC')::date - 1);
SELECT ensure_partitions();

GRANT SELECT, INSERT ON command_log, answers, rejected TO ch_writer;
GRANT SELECT, INSERT ON outbox TO ch_writer;
GRANT SELECT, UPDATE ON consumer_partitions TO ch_writer;
GRANT INSERT (topic, part, cluster_id, topic_id) ON consumer_partitions
	TO ch_writer;
GRANT SELECT ON consumer_partitions, command_log, answers, rejected, outbox
	TO ch_relay, ch_reconciler, ch_operator;

COMMIT;
