-- SPDX-License-Identifier: Apache-2.0
--
-- outbox-relay alone, beside an application's own outbox table: what it keeps
-- of its own, without the ledger's schema. Run once, as a superuser (or as the
-- table's owner with CREATE on the database and CREATEROLE; then a superuser
-- must give REPLICATION to the role, which is said at the end):
--
--	psql -d app -v table=public.outbox -f install.sql
--
-- Variables: table (<schema>.<table>), schema (outbox_relay), role
-- (outbox_relay), operator (outbox_relay_operator: without login, for people to be
-- members of, who decide about dead letters; the relay's role decides nothing),
-- publication (outbox_relay), and poll, when set: for source = poll. It may be run
-- again; nothing of what is there is changed, and the application's table is only
-- published and read; with poll not published, but read and deleted from, and the
-- role needs no REPLICATION.
--
-- With partitions set the table becomes one of time partitions, which are made
-- ahead and dropped when all in them is delivered (docs/alone.md): by column
-- partition_by (created_at; added where it is missing), each of partition_step
-- (1 day), there for partition_ahead (7 days), kept for partition_keep (7 days);
-- outbox_id (id), which prune_letters() looks at too, is the column of the same
-- parameter of the relay.
--
-- Uninstall: stop the relay, then
--	SELECT pg_drop_replication_slot('outbox_relay');
--	DROP PUBLICATION IF EXISTS outbox_relay; DROP SCHEMA outbox_relay CASCADE;
--	DROP OWNED BY outbox_relay, outbox_relay_operator; DROP ROLE outbox_relay, outbox_relay_operator;
--
-- One file on purpose, to be copied beside an application. Tables and functions
-- are those of schema/sql/deploy/relay.sql, plans.sql, foreign_letters.sql,
-- webhooks.sql, webhook_refusals.sql, decisions.sql and edit_approvals.sql, and
-- forget_slot() of retention.sql: a test compares columns, constraints and bodies.

\set ON_ERROR_STOP on
\set was_quiet :QUIET
\set QUIET on
\if :{?table} \else \set table '' \endif
\if :{?schema} \else \set schema outbox_relay \endif
\if :{?role} \else \set role outbox_relay \endif
\if :{?operator} \else \set operator outbox_relay_operator \endif
\if :{?publication} \else \set publication outbox_relay \endif
\if :{?poll} \set poll true \else \set poll false \endif
\if :{?partitions} \set partitions true \else \set partitions false \endif
\if :{?partition_by} \else \set partition_by created_at \endif
\if :{?partition_step} \else \set partition_step '1 day' \endif
\if :{?partition_ahead} \else \set partition_ahead '7 days' \endif
\if :{?partition_keep} \else \set partition_keep '7 days' \endif
\if :{?outbox_id} \else \set outbox_id id \endif

-- What would end in the middle otherwise, by a word that says little.
CREATE OR REPLACE FUNCTION pg_temp.insist(well boolean, problem text, remedy text)
	RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF NOT well THEN
		RAISE EXCEPTION '%', problem USING HINT = remedy;
	END IF;
END $$;
CREATE OR REPLACE FUNCTION pg_temp.warn(wrong boolean, problem text, remedy text)
	RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF wrong THEN
		RAISE WARNING '%', problem USING HINT = remedy;
	END IF;
END $$;
SELECT pg_temp.insist(current_setting('server_version_num')::int >= 140000,
	'this is PostgreSQL ' || current_setting('server_version'),
	'the relay needs 14 or later') \g /dev/null
SELECT pg_temp.insist(:'table' <> '', 'no table is named',
	'psql -v table=<schema>.<table> -f install.sql') \g /dev/null
SELECT pg_temp.insist(EXISTS (SELECT FROM pg_class c WHERE c.oid =
		to_regclass(:'table') AND c.relkind IN ('r', 'p')),
	'there is no table ' || :'table' || ' in database ' || current_database(),
	'psql -d names the database; names that need quotes have them: '
	'-v table=''"My App"."MyOutbox"''') \g /dev/null
-- named in full, since a search path is set below
SELECT format('%I.%I', n.nspname, c.relname) AS "table"
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass(:'table') \gset

BEGIN;
SET LOCAL client_min_messages = warning;

SELECT format('CREATE ROLE %I LOGIN %s', :'role', CASE WHEN
	NOT :'poll'::boolean AND (rolsuper OR (rolreplication
		AND current_setting('server_version_num')::int >= 160000))
	THEN 'REPLICATION' ELSE '' END)
FROM pg_roles WHERE rolname = current_user
AND NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec

SELECT format('CREATE ROLE %I NOLOGIN', :'operator')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'operator') \gexec

CREATE SCHEMA IF NOT EXISTS :"schema";
SET LOCAL search_path = :"schema", pg_temp;

CREATE TABLE IF NOT EXISTS relay_progress (
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

-- Of a ledger's streams: it stays empty here.
CREATE TABLE IF NOT EXISTS delivery_marks (
	slot    text NOT NULL,
	stream  int4 NOT NULL,
	log_seq int8 NOT NULL,
	at      timestamptz NOT NULL,
	PRIMARY KEY (slot, stream, log_seq)
);

CREATE TABLE IF NOT EXISTS dead_letters (
	letter_id     uuid PRIMARY KEY,
	source        text NOT NULL,
	row_id        text NOT NULL,
	topic         text NOT NULL,
	part          int4,
	record_key    bytea,
	value         bytea,
	header_names  bytea[] NOT NULL DEFAULT '{}',
	header_values bytea[] NOT NULL DEFAULT '{}',
	error_class   text NOT NULL,
	reason        text NOT NULL,
	attempts      int4 NOT NULL,
	blocks_key    boolean NOT NULL,
	parked_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- What an install that was made before has not: by constants, with which
-- PostgreSQL does not write the table anew. Locked first, so that no letter is
-- parked behind the position that those of before get.
LOCK TABLE dead_letters IN ACCESS EXCLUSIVE MODE;
SELECT pg_current_wal_insert_lsn() AS parked_lsn \gset
ALTER TABLE dead_letters
	ADD COLUMN IF NOT EXISTS is_open boolean NOT NULL DEFAULT true,
	ADD COLUMN IF NOT EXISTS parked_lsn pg_lsn NOT NULL DEFAULT :'parked_lsn',
	ADD COLUMN IF NOT EXISTS came_back uuid;
ALTER TABLE dead_letters
	ALTER parked_lsn SET DEFAULT pg_current_wal_insert_lsn();
CREATE INDEX IF NOT EXISTS dead_letters_parked ON dead_letters (parked_at);
CREATE INDEX IF NOT EXISTS dead_letters_open ON dead_letters (parked_at)
	WHERE is_open;
CREATE INDEX IF NOT EXISTS dead_letters_blocking ON dead_letters (parked_at)
	WHERE is_open AND blocks_key;
CREATE INDEX IF NOT EXISTS dead_letters_row ON dead_letters (source, row_id);
CREATE INDEX IF NOT EXISTS dead_letters_back ON dead_letters (came_back)
	WHERE came_back IS NOT NULL;

CREATE TABLE IF NOT EXISTS outbox_retry (
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
CREATE INDEX IF NOT EXISTS outbox_retry_blocker
	ON outbox_retry (blocked_by, retry_id);
CREATE INDEX IF NOT EXISTS outbox_retry_row ON outbox_retry (source, row_id);
-- of before: ids come again with other events
ALTER TABLE outbox_retry
	DROP CONSTRAINT IF EXISTS outbox_retry_source_row_id_topic_key;

CREATE TABLE IF NOT EXISTS letter_states (
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

CREATE OR REPLACE FUNCTION mark_letter_open() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
	UPDATE dead_letters d SET is_open = NEW.state = 'pending'
		WHERE d.letter_id = NEW.letter_id
		AND d.is_open <> (NEW.state = 'pending');
	RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION mark_letter_open FROM PUBLIC;
CREATE OR REPLACE TRIGGER letter_states_decided AFTER INSERT ON letter_states
	FOR EACH ROW WHEN (NEW.state <> 'pending')
	EXECUTE FUNCTION mark_letter_open();
CREATE OR REPLACE TRIGGER letter_states_turned AFTER UPDATE OF state ON letter_states
	FOR EACH ROW WHEN ((NEW.state = 'pending') <> (OLD.state = 'pending'))
	EXECUTE FUNCTION mark_letter_open();
-- An install that was made before has not kept it.
UPDATE dead_letters d SET is_open = false FROM letter_states s
	WHERE s.letter_id = d.letter_id AND s.state <> 'pending' AND d.is_open;

CREATE TABLE IF NOT EXISTS letter_replays (
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
CREATE INDEX IF NOT EXISTS letter_replays_letter
	ON letter_replays (letter_id);
CREATE INDEX IF NOT EXISTS letter_replays_of_plan
	ON letter_replays (plan_id, letter_id) WHERE plan_id IS NOT NULL;
DROP INDEX IF EXISTS letter_replays_plan; -- of an install that was made before

CREATE TABLE IF NOT EXISTS letter_edits (
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
	edited_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
ALTER TABLE letter_edits
	ADD COLUMN IF NOT EXISTS edited_role text NOT NULL DEFAULT '';
-- '': of before, which counts as anybody's
ALTER TABLE letter_edits ALTER COLUMN edited_role SET DEFAULT session_user;

CREATE TABLE IF NOT EXISTS replay_plans (
	plan_id      int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	selection    jsonb NOT NULL,
	reason       text NOT NULL CHECK (reason <> ''),
	planned_by   text NOT NULL CHECK (planned_by <> ''),
	planned_role text NOT NULL DEFAULT session_user,
	planned_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
	two_person   text NOT NULL DEFAULT 'off'
		CHECK (two_person IN ('off', 'actor', 'role')),
	approved_by  text CHECK (approved_by <> ''),
	approved_role text,
	approved_at  timestamptz,
	per_second   int8 CHECK (per_second > 0),       -- NULL: no limit
	bytes_per_second int8 CHECK (bytes_per_second > 0),
	canary       int8 NOT NULL DEFAULT 0 CHECK (canary >= 0),
	canary_returns int8 NOT NULL DEFAULT 0,         -- so many may come back
	canary_passed boolean NOT NULL DEFAULT false,
	replays_max  int4 NOT NULL CHECK (replays_max > 0),
	letters      int8 NOT NULL DEFAULT 0,
	next_place   int8 NOT NULL DEFAULT 1,
	state        text NOT NULL DEFAULT 'planned' CHECK (state IN
		('planned', 'approved', 'running', 'stopped', 'done', 'cancelled')),
	state_reason text NOT NULL DEFAULT '',
	changed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT replay_plans_approved CHECK (
		state IN ('planned', 'cancelled') OR approved_by IS NOT NULL),
	CONSTRAINT replay_plans_two_people CHECK (
		two_person = 'off' OR approved_by <> planned_by),
	CONSTRAINT replay_plans_two_roles CHECK (
		two_person <> 'role' OR approved_role <> planned_role)
);

CREATE TABLE IF NOT EXISTS replay_plan_letters (
	plan_id   int8 NOT NULL REFERENCES replay_plans,
	place     int8 NOT NULL,
	letter_id uuid NOT NULL,
	key_digest bytea,
	outcome   text CHECK (outcome IN
		('sent', 'refused', 'quarantined', 'held')),
	detail    text,
	PRIMARY KEY (plan_id, place)
);
CREATE INDEX IF NOT EXISTS replay_plan_letters_held ON replay_plan_letters
	(plan_id, key_digest) WHERE outcome IN ('quarantined', 'held');
CREATE INDEX IF NOT EXISTS replay_plan_letters_unsent ON replay_plan_letters
	(plan_id, place, outcome)
	WHERE outcome IN ('refused', 'quarantined', 'held');

CREATE TABLE IF NOT EXISTS foreign_letters (
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
ALTER TABLE foreign_letters
	ADD COLUMN IF NOT EXISTS imported_role text NOT NULL DEFAULT '';
ALTER TABLE foreign_letters ALTER COLUMN imported_role SET DEFAULT session_user;
CREATE INDEX IF NOT EXISTS foreign_letters_at ON foreign_letters (at);
CREATE INDEX IF NOT EXISTS foreign_letters_back ON foreign_letters (came_back)
	WHERE came_back IS NOT NULL;

CREATE TABLE IF NOT EXISTS foreign_cursors (
	log_id      uuid NOT NULL,
	part        int4 NOT NULL,
	cluster     text NOT NULL,
	topic       text NOT NULL,
	next_offset int8 NOT NULL,
	newest      timestamptz NOT NULL,
	updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (log_id, part)
);

CREATE TABLE IF NOT EXISTS audit_events (
	event_id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at       timestamptz NOT NULL DEFAULT clock_timestamp(),
	actor    text NOT NULL CHECK (actor <> ''),
	db_role  text NOT NULL DEFAULT session_user,
	action   text NOT NULL CHECK (action <> ''),
	subject  text NOT NULL,
	reason   text NOT NULL CHECK (reason <> ''),
	before   jsonb,
	after    jsonb
);
CREATE INDEX IF NOT EXISTS audit_events_subject
	ON audit_events (subject, event_id);

-- There is no ledger whose taking of a command could be seen.
CREATE OR REPLACE FUNCTION letter_resolved(letter uuid) RETURNS boolean
	LANGUAGE sql IMMUTABLE AS $$ SELECT false $$;

CREATE OR REPLACE FUNCTION letter_text(bytes bytea) RETURNS text
	LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
	RETURN convert_from(bytes, 'UTF8');
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
	RETURN encode(bytes, 'escape');
END $$;
CREATE OR REPLACE FUNCTION letter_pattern(reason text) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
	SELECT regexp_replace(regexp_replace(reason, '"[^"]*"', '""', 'g'),
		'[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}'
		|| '|[0-9a-fA-F]{16,}|[0-9]+', '#', 'g') $$;
CREATE OR REPLACE FUNCTION letter_fingerprint(class text, reason text) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path FROM CURRENT AS $$
	SELECT left(encode(sha256(convert_to(class || E'\n'
		|| letter_pattern(reason), 'UTF8')), 'hex'), 12) $$;

-- NULL: of an install that was made before, whose letters are not written anew.
CREATE OR REPLACE FUNCTION sort_letter() RETURNS trigger
	LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	NEW.fingerprint := letter_fingerprint(NEW.error_class, NEW.reason);
	RETURN NEW;
END $$;
ALTER TABLE dead_letters ADD COLUMN IF NOT EXISTS fingerprint text;
ALTER TABLE foreign_letters ADD COLUMN IF NOT EXISTS fingerprint text;
ALTER TABLE letter_edits ADD COLUMN IF NOT EXISTS fingerprint text;
CREATE OR REPLACE TRIGGER dead_letters_sorted BEFORE INSERT ON dead_letters
	FOR EACH ROW EXECUTE FUNCTION sort_letter();
CREATE OR REPLACE TRIGGER foreign_letters_sorted BEFORE INSERT ON foreign_letters
	FOR EACH ROW EXECUTE FUNCTION sort_letter();
CREATE OR REPLACE TRIGGER letter_edits_sorted BEFORE INSERT ON letter_edits
	FOR EACH ROW EXECUTE FUNCTION sort_letter();

CREATE OR REPLACE VIEW letters AS
	SELECT l.letter_id, l.kind, l.topic, l.part, l.src_offset, l.row_id,
		l.row_order, l.record_key, l.value, l.header_names,
		l.header_values, CASE l.error_class
		WHEN 'MSG_SIZE_TOO_LARGE' THEN 'too_large' -- of before
		ELSE l.error_class END AS error_class,
		l.reason, l.attempts, l.sqlstate,
		l.at, l.blocks_key,
		coalesce(s.held, s.state, 'pending') AS state,
		coalesce(s.replay_count, 0) AS replay_count,
		s.changed_at, s.actor, s.reason AS state_reason, l.original_id,
		coalesce(l.fingerprint,
			letter_fingerprint(l.error_class, l.reason)) AS fingerprint,
		coalesce(s.held, s.state, 'pending') AS stored_state
	FROM (
		SELECT letter_id, 'delivery'::text AS kind, topic, part,
			NULL::int8 AS src_offset, row_id, NULL::int8 AS row_order,
			record_key, value, header_names, header_values,
			error_class, reason, attempts, NULL::text AS sqlstate,
			parked_at AS at, blocks_key, NULL::uuid AS original_id,
			fingerprint
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

CREATE TABLE IF NOT EXISTS webhook_deliveries (
	delivery_id   int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	endpoint      text NOT NULL,
	event_id      text NOT NULL,
	webhook_id    text NOT NULL,
	key_digest    bytea NOT NULL,     -- of the key; without one: of the id
	record_key    bytea,
	aggregatetype text NOT NULL,
	type          text NOT NULL,
	body          bytea,
	traceparent   text,
	at            timestamptz NOT NULL,
	attempts      int4 NOT NULL DEFAULT 0,
	replays       int4 NOT NULL DEFAULT 0,
	last_status   int4,               -- 0: no answer
	last_response bytea,
	done_at       timestamptz,
	letter_id     uuid
);
ALTER TABLE webhook_deliveries
	ADD COLUMN IF NOT EXISTS refused_at timestamptz,
	ADD COLUMN IF NOT EXISTS quota_since timestamptz,
	ADD COLUMN IF NOT EXISTS content int4,
	-- of before: ids come again with other events
	DROP CONSTRAINT IF EXISTS webhook_deliveries_endpoint_event_id_key;
SELECT 'ALTER TABLE webhook_deliveries ADD UNIQUE (endpoint, event_id, content)'
WHERE NOT EXISTS (SELECT FROM pg_constraint
	WHERE conrelid = 'webhook_deliveries'::regclass AND contype = 'u') \gexec
CREATE INDEX IF NOT EXISTS webhook_deliveries_next ON webhook_deliveries
	(endpoint, key_digest, delivery_id) WHERE done_at IS NULL;
CREATE INDEX IF NOT EXISTS webhook_deliveries_pending ON webhook_deliveries
	(endpoint, delivery_id) WHERE done_at IS NULL;
CREATE INDEX IF NOT EXISTS webhook_deliveries_done ON webhook_deliveries (done_at)
	WHERE letter_id IS NULL;
CREATE INDEX IF NOT EXISTS webhook_deliveries_letter ON webhook_deliveries (letter_id)
	WHERE letter_id IS NOT NULL;
-- What came back was left open: no delivery has it, and none ever will.
UPDATE letter_states s SET state = 'resolved', actor = 'install.sql',
	reason = 'came back as another letter', changed_at = clock_timestamp()
WHERE s.state = 'replayed'
AND (EXISTS (SELECT FROM dead_letters d
		WHERE d.letter_id = s.letter_id AND d.source = 'webhook')
	OR EXISTS (SELECT FROM letter_edits e
		WHERE e.letter_id = s.letter_id AND e.topic LIKE 'webhook:%'))
AND NOT EXISTS (SELECT FROM webhook_deliveries w
	WHERE w.letter_id = s.letter_id);

CREATE TABLE IF NOT EXISTS webhook_keys (
	endpoint   text NOT NULL,
	key_digest bytea NOT NULL,
	next_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	version    int8 NOT NULL DEFAULT 0,
	blocked_by uuid,
	blocked_at timestamptz,
	PRIMARY KEY (endpoint, key_digest)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0,
	autovacuum_vacuum_threshold = 1000);
CREATE INDEX IF NOT EXISTS webhook_keys_due ON webhook_keys (endpoint, next_at)
	WHERE blocked_by IS NULL;
CREATE INDEX IF NOT EXISTS webhook_keys_blocked ON webhook_keys (endpoint, blocked_at)
	WHERE blocked_by IS NOT NULL;

CREATE OR REPLACE VIEW blocked_keys AS
	SELECT d.topic, d.record_key, d.letter_id, d.parked_at AS since,
		(SELECT count(*) FROM outbox_retry r
			WHERE r.blocked_by = d.letter_id) AS waiting
	FROM dead_letters d
	WHERE d.is_open AND d.blocks_key AND d.record_key IS NOT NULL
	AND d.topic NOT LIKE 'webhook:%'
	UNION ALL
	-- decided, and what waited is on its way
	SELECT d.topic, d.record_key, d.letter_id, d.parked_at,
		(SELECT count(*) FROM outbox_retry r
			WHERE r.blocked_by = d.letter_id)
	FROM dead_letters d
	WHERE d.letter_id IN (SELECT r.blocked_by FROM outbox_retry r)
	AND NOT d.is_open AND d.blocks_key AND d.record_key IS NOT NULL
	AND d.topic NOT LIKE 'webhook:%'
	UNION ALL
	SELECT 'webhook:' || k.endpoint, d.record_key, k.blocked_by,
		k.blocked_at, (SELECT count(*) FROM webhook_deliveries w
			WHERE w.endpoint = k.endpoint
			AND w.key_digest = k.key_digest AND w.done_at IS NULL)
	FROM webhook_keys k JOIN dead_letters d ON d.letter_id = k.blocked_by
	WHERE k.blocked_by IS NOT NULL;

-- A letter is done when it is acknowledged, unless an import has found it in a
-- dead-letter topic since; an endpoint's when it was taken, was refused again, or
-- was discarded.
CREATE OR REPLACE FUNCTION replay_plan_returns(plan int8, OUT sent int8,
	OUT judged int8, OUT returned int8)
	LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
	SELECT count(*), count(*) FILTER (WHERE r.topic NOT LIKE 'webhook:%'
			OR EXISTS (SELECT FROM letter_states s
			WHERE s.letter_id = r.letter_id
			AND s.state IN ('resolved', 'discarded'))),
		count(DISTINCT r.letter_id) FILTER (WHERE EXISTS (
			SELECT FROM foreign_letters f WHERE f.came_back = r.letter_id)
			OR EXISTS (SELECT FROM dead_letters d
			WHERE d.came_back = r.letter_id))
	FROM letter_replays r WHERE r.plan_id = plan $$;

CREATE OR REPLACE FUNCTION replay_plans_returned(plans int8[])
	RETURNS TABLE (plan_id int8, returned int8)
	LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
	SELECT r.plan_id, count(DISTINCT r.letter_id) FROM (
		SELECT f.came_back FROM foreign_letters f
		UNION ALL SELECT d.came_back FROM dead_letters d
	) b
	JOIN letter_replays r ON r.letter_id = b.came_back
	WHERE r.plan_id = ANY (plans) GROUP BY r.plan_id $$;

-- As in core.sql.
CREATE OR REPLACE FUNCTION insist_who_and_why(what text, actor text, reason text)
	RETURNS void LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF coalesce(reason, '') = '' OR coalesce(actor, '') = '' THEN
		RAISE EXCEPTION '%() needs a reason and an actor', what
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
END $$;

-- What decisions.sql adds to plans.
ALTER TABLE replay_plans
	ADD COLUMN IF NOT EXISTS kind text NOT NULL DEFAULT 'replay'
		CHECK (kind IN ('replay', 'discard')),
	ADD COLUMN IF NOT EXISTS approved_letters int8,
	ADD COLUMN IF NOT EXISTS approved_digest bytea,
	ADD COLUMN IF NOT EXISTS left_digest bytea;
ALTER TABLE replay_plan_letters
	ADD COLUMN IF NOT EXISTS rest bytea,
	ADD COLUMN IF NOT EXISTS topic text,
	ADD COLUMN IF NOT EXISTS part int4,
	ADD COLUMN IF NOT EXISTS bytes int8,
	ADD COLUMN IF NOT EXISTS at timestamptz,
	DROP CONSTRAINT replay_plan_letters_outcome_check,
	ADD CONSTRAINT replay_plan_letters_outcome_check CHECK (outcome IN
		('sent', 'discarded', 'refused', 'quarantined', 'held'));

-- One row, changed by set_two_person().
CREATE TABLE IF NOT EXISTS plan_settings (
	one        boolean PRIMARY KEY DEFAULT true CHECK (one),
	two_person text NOT NULL DEFAULT 'off'
		CHECK (two_person IN ('off', 'actor', 'role'))
);
INSERT INTO plan_settings DEFAULT VALUES ON CONFLICT DO NOTHING;

-- The digest of letters in their order, from the last to the first.
CREATE OR REPLACE FUNCTION letters_digest_step(rest bytea, letter uuid) RETURNS bytea
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
	-- once a letter: in SQL it takes twice as long
	RETURN sha256(uuid_send(letter) || rest);
END $$;
CREATE OR REPLACE AGGREGATE letters_digest (uuid) (
	sfunc = letters_digest_step, stype = bytea, initcond = '');

-- ---- letters ----

-- The letter stays locked until the transaction ends. Returns where it stands.
CREATE OR REPLACE FUNCTION lock_letter(letter uuid, OUT state text, OUT replay_count int4)
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM letter_states s WHERE s.letter_id = letter) THEN
		IF NOT EXISTS (SELECT FROM letters l WHERE l.letter_id = letter) THEN
			RAISE EXCEPTION 'there is no letter %', letter
				USING ERRCODE = 'no_data_found', HINT = 'see dlq list';
		END IF;
		INSERT INTO letter_states (letter_id) VALUES (letter)
			ON CONFLICT DO NOTHING;
	END IF;
	SELECT CASE WHEN s.state = 'replayed' AND letter_resolved(letter)
		THEN 'resolved' ELSE coalesce(s.held, s.state) END, s.replay_count
		INTO lock_letter.state, lock_letter.replay_count
		FROM letter_states s WHERE s.letter_id = letter FOR UPDATE;
END $$;

-- The same for whoever decides a letter by hand, before anything is sent: what
-- decide_letter() would refuse when it was sent already. The rule of two people
-- stays what it is until the transaction ends.
CREATE OR REPLACE FUNCTION claim_letter(letter uuid, actor text, reason text,
	OUT state text, OUT replay_count int4)
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM insist_who_and_why('claim_letter', actor, reason);
	PERFORM FROM plan_settings s WHERE s.two_person = 'off' FOR SHARE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'letter % is not decided by one person alone: plan it '
			'(dlq plan), and let somebody else approve it', letter
			USING ERRCODE = 'insufficient_privilege',
			HINT = 'plan_settings.two_person asks for it';
	END IF;
	SELECT l.state, l.replay_count
		INTO claim_letter.state, claim_letter.replay_count
		FROM lock_letter(letter) l;
END $$;

-- The delivery of a webhook's letter, or of an edit of one, is pending again in
-- its old place: its number. NULL: it is not dead now. Of an edit it goes out
-- under its own letter's id: whoever drops repeated ids must not drop it.
CREATE OR REPLACE FUNCTION put_delivery_back(letter uuid, times int4) RETURNS int8
	LANGUAGE sql SET search_path FROM CURRENT AS $$
	WITH RECURSIVE chain AS (
		SELECT letter AS letter_id
		UNION
		SELECT e.original_id FROM letter_edits e JOIN chain USING (letter_id)
	), back AS (
		UPDATE webhook_deliveries d SET done_at = NULL, body = l.value,
			attempts = 0, replays = times, letter_id = letter,
			webhook_id = CASE WHEN l.original_id IS NULL
				THEN d.webhook_id ELSE letter::text END,
			last_status = NULL, refused_at = NULL, quota_since = NULL
		FROM chain c, letters l
		WHERE d.letter_id = c.letter_id AND d.done_at IS NOT NULL
		AND l.letter_id = letter
		RETURNING d.endpoint, d.key_digest, d.delivery_id
	), keyed AS (
		INSERT INTO webhook_keys AS k (endpoint, key_digest, version)
		SELECT endpoint, key_digest,
			(extract(epoch FROM now()) * 1000000)::int8 FROM back
		ON CONFLICT (endpoint, key_digest) DO UPDATE
		SET version = k.version + 1, next_at = clock_timestamp()
	)
	SELECT delivery_id FROM back $$;

-- An endpoint has taken what was put back: its letter is resolved. This and
-- letter_returned() are all that a relay says of a letter; who and why are those of
-- the replay.
CREATE OR REPLACE FUNCTION letter_delivered(delivery int8) RETURNS void
	LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
	UPDATE letter_states s SET state = 'resolved',
		changed_at = clock_timestamp()
	FROM webhook_deliveries d
	WHERE d.delivery_id = delivery AND d.done_at IS NULL
	AND s.letter_id = d.letter_id AND s.state = 'replayed'
	AND 'webhook:' || d.endpoint IN (
		SELECT l.topic FROM dead_letters l WHERE l.letter_id = s.letter_id
		UNION ALL SELECT e.topic FROM letter_edits e
		WHERE e.letter_id = s.letter_id) $$;

-- An endpoint has refused again what was put back so often: its letter came back
-- as another one, which stands for it.
CREATE OR REPLACE FUNCTION letter_returned(delivery int8, times int4, became uuid)
	RETURNS void
	LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
	UPDATE letter_states s SET state = 'resolved', actor = 'outbox-relay',
		reason = 'came back as letter ' || became,
		changed_at = clock_timestamp()
	FROM webhook_deliveries d
	WHERE d.delivery_id = delivery AND d.replays = times AND d.done_at IS NULL
	AND s.letter_id = d.letter_id AND s.state = 'replayed'
	AND 'webhook:' || d.endpoint IN (
		SELECT l.topic FROM dead_letters l WHERE l.letter_id = s.letter_id
		UNION ALL SELECT e.topic FROM letter_edits e
		WHERE e.letter_id = s.letter_id) $$;

-- A delivery that was put back for the letter is not made any more; its key goes
-- on. One that an endpoint is just being sent may arrive.
CREATE OR REPLACE FUNCTION stop_delivery(letter uuid) RETURNS void
	LANGUAGE sql SET search_path FROM CURRENT AS $$
	WITH stopped AS (
		UPDATE webhook_deliveries d SET done_at = clock_timestamp(),
			body = NULL, last_response = NULL
		WHERE d.letter_id = letter AND d.done_at IS NULL
		RETURNING d.endpoint, d.key_digest
	)
	UPDATE webhook_keys k SET version = k.version + 1,
		next_at = clock_timestamp()
	FROM stopped s WHERE k.endpoint = s.endpoint
	AND k.key_digest = s.key_digest $$;

-- Deliveries to an endpoint that is nobody's become letters, oldest first, at most
-- so many: how many. A relay that is away may have the endpoint, and one that
-- comes meanwhile waits. They block no key: an endpoint that is back goes on with
-- what is new. What was put back for a letter comes back as another one.
CREATE OR REPLACE FUNCTION bury_deliveries(of_endpoint text, actor text, reason text,
	most int4) RETURNS int8
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	began  timestamptz := clock_timestamp();
	away   text;
	picked int8[];
	made   uuid[];
	many   int8;
BEGIN
	PERFORM insist_who_and_why('bury_deliveries', actor, reason);
	IF NOT pg_try_advisory_xact_lock(hashtextextended(
		'countinghouse webhook ' || of_endpoint,
		'webhook_deliveries'::regclass::oid::bigint)) THEN
		RAISE EXCEPTION 'a running relay has endpoint %', of_endpoint
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT =
			'it makes these deliveries; to end that, take the endpoint '
			'out of its file of webhooks and restart it';
	END IF;
	SELECT string_agg(p.slot, ', ' ORDER BY p.slot) INTO away
		FROM relay_progress p WHERE NOT EXISTS (SELECT FROM pg_locks l
		WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
		AND l.database = (SELECT oid FROM pg_database
			WHERE datname = current_database())
		AND l.classid = 17225
		AND l.objid::int8 = hashtext(p.slot)::int8 & 4294967295);
	IF away IS NOT NULL THEN
		RAISE EXCEPTION 'the relay of slot % does not run, and may have '
			'endpoint %', away, of_endpoint
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT =
			'start it; of a slot that is gone for good: forget_slot()';
	END IF;
	picked := ARRAY(SELECT d.delivery_id FROM webhook_deliveries d
		WHERE d.endpoint = of_endpoint AND d.done_at IS NULL
		ORDER BY d.delivery_id LIMIT most);
	made := ARRAY(SELECT gen_random_uuid() FROM unnest(picked));
	-- whoever decides a letter locks that before its delivery
	PERFORM letter_returned(d.delivery_id, d.replays, u.letter)
		FROM unnest(picked, made) AS u (delivery, letter)
		JOIN webhook_deliveries d ON d.delivery_id = u.delivery
		WHERE d.letter_id IS NOT NULL AND d.done_at IS NULL;
	-- not the relay's doing: who ends them, and why
	UPDATE letter_states s SET actor = bury_deliveries.actor,
		reason = s.reason || ': ' || bury_deliveries.reason
		FROM unnest(picked, made) AS u (delivery, letter)
		JOIN webhook_deliveries d ON d.delivery_id = u.delivery
		WHERE s.letter_id = d.letter_id AND d.done_at IS NULL
		AND s.state = 'resolved'
		AND s.reason = 'came back as letter ' || u.letter;
	WITH old AS (
		SELECT d.*, u.letter AS fresh, u.place
		FROM unnest(picked, made) WITH ORDINALITY
			AS u (delivery, letter, place)
		JOIN webhook_deliveries d ON d.delivery_id = u.delivery
		WHERE d.done_at IS NULL FOR UPDATE OF d
	), letter AS (
		INSERT INTO dead_letters (letter_id, source, row_id, topic,
			record_key, value, header_names, header_values,
			error_class, reason, attempts, blocks_key, came_back,
			parked_at)
		SELECT o.fresh, 'webhook', o.event_id, 'webhook:' || o.endpoint,
			o.record_key, o.body, h.names, h.vals, 'no_endpoint',
			'no running relay has this endpoint', o.attempts, false,
			o.letter_id, began + o.place * interval '1 microsecond'
		FROM old o CROSS JOIN LATERAL (
			SELECT array_agg(convert_to(v.name, 'UTF8')) AS names,
				array_agg(convert_to(v.val, 'UTF8')) AS vals
			FROM (VALUES ('id', o.webhook_id),
				('aggregatetype', o.aggregatetype),
				('type', o.type), ('traceparent', o.traceparent),
				('ch_webhook_status', o.last_status::text),
				('ch_replay_count', nullif(o.replays, 0)::text)
				) AS v (name, val) WHERE v.val IS NOT NULL) h
	), gone AS (
		UPDATE webhook_deliveries d SET done_at = clock_timestamp(),
			body = NULL, last_response = NULL, letter_id = o.fresh
		FROM old o WHERE d.delivery_id = o.delivery_id
	), keyed AS (
		UPDATE webhook_keys k SET next_at = clock_timestamp(),
			version = k.version + 1
		FROM (SELECT DISTINCT o.key_digest FROM old o) q
		WHERE k.endpoint = of_endpoint AND k.key_digest = q.key_digest
	)
	SELECT count(*) INTO many FROM old;
	IF many > 0 THEN
		INSERT INTO audit_events (actor, action, subject, reason, after)
		VALUES (actor, 'dlq.bury', 'endpoint ' || of_endpoint, reason,
			jsonb_build_object('letters', many, 'first', made[1]));
	END IF;
	RETURN many;
END $$;

-- Decides a letter: discarded or quarantined; or sent to a topic and place
-- there, which makes it replayed (what becomes of it is seen later) or resolved.
-- times: how often it was sent, with this time. org, command and command_day:
-- which command it was, where that could be read. plan: whose step it is; NULL:
-- by hand. The letters that an edited one stands for are decided with it. False,
-- and nothing is changed: an endpoint's delivery is not dead now.
CREATE OR REPLACE FUNCTION decide_letter(letter uuid, become text, actor text, reason text,
	times int4, sent_to text DEFAULT NULL, sent_part int4 DEFAULT NULL,
	sent_offset int8 DEFAULT NULL, org text DEFAULT NULL,
	command uuid DEFAULT NULL, command_day date DEFAULT NULL,
	plan int8 DEFAULT NULL) RETURNS boolean
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	sends boolean := become IN ('replayed', 'resolved');
	was   letter_states;
BEGIN
	PERFORM insist_who_and_why('decide_letter', actor, reason);
	PERFORM lock_letter(letter);
	SELECT * INTO was FROM letter_states s WHERE s.letter_id = letter;
	IF was.state IN ('resolved', 'discarded') OR was.held = 'edited' THEN
		RAISE EXCEPTION 'letter % is %: it is decided already', letter,
			coalesce(was.held, was.state)
			USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	IF (sends OR become IN ('discarded', 'quarantined')) IS NOT TRUE
		OR sends <> (sent_to IS NOT NULL)
		OR sends AND (times > was.replay_count) IS NOT TRUE THEN
		RAISE EXCEPTION 'letter % cannot become "%" (sent to "%", % times '
			'after %)', letter, become, sent_to, times, was.replay_count
			USING ERRCODE = 'invalid_parameter_value', HINT =
			'replayed or resolved with where it was sent, discarded, or '
			'quarantined';
	END IF;
	IF plan IS NULL AND become <> 'quarantined' AND NOT EXISTS (
		SELECT FROM plan_settings s WHERE s.two_person = 'off') THEN
		RAISE EXCEPTION 'letter % is not decided by one person alone: plan it '
			'(dlq plan), and let somebody else approve it', letter
			USING ERRCODE = 'insufficient_privilege',
			HINT = 'plan_settings.two_person asks for it';
	END IF;
	IF plan IS NOT NULL AND NOT EXISTS (SELECT FROM replay_plans p
		WHERE p.plan_id = plan AND p.state = 'running'
		AND (p.kind = 'discard') = (become = 'discarded')
		-- as a join, and without statistics, it reads the whole plan
		AND letter = (SELECT i.letter_id FROM replay_plan_letters i
			WHERE i.plan_id = p.plan_id AND i.place = p.next_place)) THEN
		RAISE EXCEPTION 'letter % is not the next one of plan %, or the plan '
			'does not ask for it to be %', letter, plan, become
			USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'see dlq plans';
	END IF;
	IF sent_to LIKE 'webhook:%' THEN
		sent_offset := put_delivery_back(letter, times);
		sent_part := 0;
		IF sent_offset IS NULL THEN
			RETURN false;
		END IF;
	END IF;
	UPDATE letter_states s SET
		state = CASE become WHEN 'quarantined' THEN 'pending' ELSE become END,
		held = CASE become WHEN 'quarantined' THEN become END,
		replay_count = CASE WHEN sends THEN times ELSE s.replay_count END,
		actor = decide_letter.actor, reason = decide_letter.reason,
		changed_at = clock_timestamp()
		WHERE s.letter_id = letter;
	IF become = 'discarded' AND was.state = 'replayed' THEN
		PERFORM stop_delivery(letter);
	END IF;
	IF sends THEN
		INSERT INTO letter_replays (letter_id, replay_count, topic, part,
			log_offset, actor, reason, org, command_id, command_day, plan_id)
		VALUES (letter, times, sent_to, sent_part, sent_offset, actor, reason,
			org, command, command_day, plan);
	END IF;
	IF become <> 'quarantined' THEN
		WITH RECURSIVE chain AS (
			SELECT e.original_id FROM letter_edits e
			WHERE e.letter_id = letter
			UNION
			SELECT e.original_id FROM letter_edits e
			JOIN chain c ON e.letter_id = c.original_id
		)
		UPDATE letter_states s SET
			state = CASE WHEN sends THEN 'resolved' ELSE become END,
			held = NULL, actor = decide_letter.actor,
			reason = decide_letter.reason, changed_at = clock_timestamp()
			FROM chain c WHERE s.letter_id = c.original_id;
	END IF;
	INSERT INTO audit_events (actor, action, subject, reason, before, after)
	SELECT decide_letter.actor, CASE become WHEN 'discarded' THEN 'dlq.discard'
			WHEN 'quarantined' THEN 'dlq.quarantine' ELSE 'dlq.replay' END,
		letter::text, decide_letter.reason,
		jsonb_build_object('state', coalesce(was.held, was.state),
			'replay_count', was.replay_count)
		|| CASE WHEN sends AND d.topic <> sent_to
			THEN jsonb_build_object('topic', d.topic) ELSE '{}' END,
		jsonb_build_object('state', become, 'replay_count', s.replay_count)
		|| CASE WHEN sends THEN jsonb_build_object('topic', sent_to,
			'partition', sent_part, 'offset', sent_offset)
			ELSE '{}' END
		|| CASE WHEN plan IS NOT NULL THEN jsonb_build_object('plan', plan)
			ELSE '{}' END
		FROM letter_states s LEFT JOIN dead_letters d USING (letter_id)
		WHERE s.letter_id = letter;
	RETURN true;
END $$;

-- A letter of its own, like its original but for the value; the original waits
-- as `edited`. difference: {"at", "removed", "inserted"}.
CREATE OR REPLACE FUNCTION edit_letter(original uuid, letter uuid, fresh bytea,
	difference jsonb, actor text, reason text) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	was letter_states;
	l   letters;
BEGIN
	PERFORM insist_who_and_why('edit_letter', actor, reason);
	PERFORM lock_letter(original);
	SELECT * INTO was FROM letter_states s WHERE s.letter_id = original;
	IF was.state <> 'pending' OR was.held = 'edited' THEN
		RAISE EXCEPTION 'letter % is %: it may not be edited', original,
			coalesce(was.held, was.state)
			USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	SELECT * INTO STRICT l FROM letters v WHERE v.letter_id = original;
	IF (overlay(coalesce(l.value, '')
		PLACING decode(difference->>'inserted', 'hex')
		FROM (difference->>'at')::int4 + 1
		FOR length(difference->>'removed') / 2) = fresh) IS NOT TRUE THEN
		RAISE EXCEPTION 'the difference does not make the new value of letter %',
			original USING ERRCODE = 'invalid_parameter_value';
	END IF;
	INSERT INTO letter_edits (letter_id, original_id, kind, topic, part,
		src_offset, row_id, row_order, record_key, value, header_names,
		header_values, error_class, reason, attempts, sqlstate, at,
		blocks_key, difference, edited_by, edited_why)
	VALUES (letter, original, l.kind, l.topic, l.part, l.src_offset, l.row_id,
		l.row_order, l.record_key, fresh, l.header_names, l.header_values,
		l.error_class, l.reason, l.attempts, l.sqlstate, l.at, l.blocks_key,
		difference, actor, edit_letter.reason);
	INSERT INTO letter_states (letter_id, replay_count)
		VALUES (letter, was.replay_count);
	UPDATE letter_states s SET held = 'edited', actor = edit_letter.actor,
		reason = edit_letter.reason, changed_at = clock_timestamp()
		WHERE s.letter_id = original;
	INSERT INTO audit_events (actor, action, subject, reason, before, after)
	VALUES (actor, 'dlq.edited', letter::text, reason,
		jsonb_build_object('original', original),
		jsonb_build_object('difference', CASE
			WHEN length(difference::text) < 4000 THEN difference
			ELSE '"too long: see letter_edits"' END)),
	(actor, 'dlq.edit', original::text, reason,
		jsonb_build_object('state', coalesce(was.held, was.state),
			'replay_count', was.replay_count),
		jsonb_build_object('state', 'edited',
			'replay_count', was.replay_count));
END $$;

-- An import writes to the trail before its first letter. Raises unless this
-- session's role has, for that topic and under that name.
CREATE OR REPLACE FUNCTION insist_import(of_topic text, actor text) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM audit_events e WHERE e.action = 'dlq.import'
		AND e.subject = 'topic ' || of_topic
		AND e.actor = insist_import.actor AND e.db_role = session_user) THEN
		RAISE EXCEPTION '% has not begun an import of topic % as role %',
			actor, of_topic, session_user
			USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'letters come by outbox-relay dlq import';
	END IF;
END $$;

-- One record of a dead-letter topic, once. known: it is of our own topic, and
-- the list has its letter. A record without a dialect that a replay of ours
-- sent: its origin is where that went. letter: whose replay its headers say it
-- is; replays: how often they say that it was sent before.
CREATE OR REPLACE FUNCTION import_letter(id uuid, log uuid, of_topic text, of_part int4,
	at_offset int8, dialect text, origin text, origin_part int4,
	origin_offset int8, origin_time timestamptz, key_bytes bytea, bytes bytea,
	names bytea[], contents bytea[], class text, why text, tries int4,
	dead_at timestamptz, letter uuid, replays int4, actor text,
	OUT stored boolean, OUT known boolean, OUT returned boolean)
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	sent letter_replays;
	back uuid := CASE WHEN dialect <> 'countinghouse' THEN letter END;
BEGIN
	PERFORM insist_import(of_topic, actor);
	stored := false;
	returned := false;
	known := dialect = 'countinghouse' AND EXISTS (SELECT FROM letters l
		WHERE l.letter_id = letter AND l.kind = 'rejected'
		AND l.topic = origin AND l.src_offset = origin_offset);
	IF known THEN
		RETURN;
	END IF;
	IF dialect = 'unknown' THEN
		SELECT * INTO sent FROM letter_replays r WHERE r.letter_id = letter
			ORDER BY r.replay_id DESC LIMIT 1;
	END IF;
	INSERT INTO foreign_letters (letter_id, log_id, dlq_topic, dlq_part,
		dlq_offset, dialect, topic, part, src_offset, origin_at, record_key,
		value, header_names, header_values, error_class, reason, attempts,
		at, came_back, imported_by)
	VALUES (id, log, of_topic, of_part, at_offset, dialect,
		coalesce(sent.topic, origin), coalesce(sent.part, origin_part),
		coalesce(sent.log_offset, origin_offset), origin_time, key_bytes,
		bytes, names, contents, class, why, tries, dead_at, back, actor)
	ON CONFLICT DO NOTHING;
	stored := FOUND;
	returned := stored AND back IS NOT NULL;
	IF stored AND replays > 0 THEN
		INSERT INTO letter_states (letter_id, replay_count)
		VALUES (id, replays) ON CONFLICT DO NOTHING;
	END IF;
END $$;

-- A partition of a dead-letter topic was read up to there. Never back, unless
-- the log has lost its end.
CREATE OR REPLACE FUNCTION move_import(log uuid, of_part int4, of_cluster text,
	of_topic text, upto int8, newest_at timestamptz, may_go_back boolean,
	actor text) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM insist_import(of_topic, actor);
	INSERT INTO foreign_cursors AS c (log_id, part, cluster, topic,
		next_offset, newest)
	VALUES (log, of_part, of_cluster, of_topic, upto, newest_at)
	ON CONFLICT (log_id, part) DO UPDATE SET
		next_offset = CASE WHEN may_go_back THEN excluded.next_offset
			ELSE greatest(c.next_offset, excluded.next_offset) END,
		newest = greatest(c.newest, excluded.newest),
		updated_at = clock_timestamp();
END $$;

-- What a call meant and how much it did, beside the rows of its letters.
CREATE OR REPLACE FUNCTION audit_letters(action text, subject text, actor text, reason text,
	after jsonb) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM insist_who_and_why('audit_letters', actor, reason);
	IF (action IN ('dlq.import', 'dlq.imported', 'dlq.replayed',
		'dlq.discarded')) IS NOT TRUE THEN
		RAISE EXCEPTION '"%" is no action of many letters', action
			USING ERRCODE = 'invalid_parameter_value', HINT =
			'dlq.import, dlq.imported, dlq.replayed or dlq.discarded';
	END IF;
	INSERT INTO audit_events (actor, action, subject, reason, after)
	VALUES (actor, action, subject, reason, after);
END $$;

-- ---- plans ----

-- Of topic and key: the same for letters that must be sent in their order.
CREATE OR REPLACE FUNCTION letter_key_digest(topic text, record_key bytea)
	RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT sha256(convert_to(topic, 'UTF8') || decode('00', 'hex')
		|| record_key) $$;

-- The row of a plan; it stays locked until the transaction ends.
CREATE OR REPLACE FUNCTION locked_plan(plan int8) RETURNS replay_plans
	LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	p replay_plans;
BEGIN
	SELECT * INTO p FROM replay_plans q WHERE q.plan_id = plan FOR UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no plan %', plan
			USING ERRCODE = 'no_data_found', HINT = 'see dlq plans';
	END IF;
	RETURN p;
END $$;

-- The strictest of the rules that are asked for.
CREATE OR REPLACE FUNCTION strictest(VARIADIC rules text[]) RETURNS text
	LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN 'role' = ANY (rules) THEN 'role'
		WHEN 'actor' = ANY (rules) THEN 'actor' ELSE 'off' END $$;

-- Whether letters are decided by plans of two people, whatever a planner and a
-- relay's configuration say: 'actor' by name, 'role' by the role that logs in
-- too, which nobody can say for another. By the owner alone. Returns what it was.
CREATE OR REPLACE FUNCTION set_two_person(rule text, actor text, reason text,
	dry_run boolean DEFAULT false) RETURNS text
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	old text;
BEGIN
	PERFORM insist_who_and_why('set_two_person', actor, reason);
	IF (rule IN ('off', 'actor', 'role')) IS NOT TRUE THEN
		RAISE EXCEPTION 'two_person is off, actor or role, not "%"', rule
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	SELECT s.two_person INTO old FROM plan_settings s FOR UPDATE;
	IF NOT dry_run THEN
		UPDATE plan_settings SET two_person = rule;
		INSERT INTO audit_events (actor, action, subject, reason, before, after)
		VALUES (actor, 'set_two_person', 'plan_settings', reason,
			to_jsonb(old), to_jsonb(rule));
	END IF;
	RETURN old;
END $$;

-- A dry run is a plan that is taken back. Numbers are not: it has one below 0, and is
-- never stored.
CREATE OR REPLACE FUNCTION refuse_tried_plan() RETURNS trigger
	LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'plan % was a dry run: it is not stored', NEW.plan_id
		USING ERRCODE = 'object_not_in_prerequisite_state',
		HINT = 'roll it back, or plan it without countinghouse.dry_run';
END $$;
DROP TRIGGER IF EXISTS replay_plans_tried ON replay_plans;
CREATE CONSTRAINT TRIGGER replay_plans_tried AFTER INSERT ON replay_plans
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.plan_id < 0)
	EXECUTE FUNCTION refuse_tried_plan();

-- A plan without letters yet, under the session's own role; choose_letters()
-- gives it some. two_person may ask for more than the setting, never for less.
-- The name of the planner is the caller's to say, since people share the login
-- of an API: where that will not do, the rule is 'role'.
CREATE OR REPLACE FUNCTION make_plan(selection jsonb, actor text, reason text,
	two_person text, per_second int8, bytes_per_second int8, canary int8,
	canary_returns int8, replays_max int4, kind text) RETURNS int8
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	made int8;
BEGIN
	PERFORM insist_who_and_why('make_plan', actor, reason);
	INSERT INTO replay_plans (plan_id, selection, reason, planned_by,
		planned_role, two_person, per_second, bytes_per_second, canary,
		canary_returns, replays_max, kind) OVERRIDING SYSTEM VALUE
	SELECT CASE WHEN current_setting('countinghouse.dry_run', true) = 'on'
		THEN -pg_backend_pid() -- this session's alone
		ELSE nextval(pg_get_serial_sequence('replay_plans', 'plan_id')) END,
		make_plan.selection, make_plan.reason, actor, session_user,
		strictest(make_plan.two_person, s.two_person), make_plan.per_second,
		make_plan.bytes_per_second, make_plan.canary,
		make_plan.canary_returns, make_plan.replays_max, make_plan.kind
	FROM plan_settings s RETURNING plan_id INTO STRICT made;
	RETURN made;
END $$;

-- May a plan's `to` be its topic? A foreign letter's, and ours where no topic can
-- have the name that its row makes (replay_redirect()).
CREATE OR REPLACE FUNCTION letter_redirects(kind text, topic text) RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT kind = 'foreign'
		OR topic !~ '^(webhook:.*|[a-zA-Z0-9._-]{1,249})$'
		OR topic IN ('.', '..') $$;

-- Many are looked for in one pass over all letters: the planner takes an array for
-- a few, however long it is, and would look each one up in every day.
CREATE OR REPLACE FUNCTION store_letters(p replay_plans, chosen uuid[]) RETURNS int8
	LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_nestloop = on AS $$
DECLARE
	many int8;
BEGIN
	PERFORM set_config('enable_nestloop',
		(cardinality(chosen) < 10000)::text, true);
	INSERT INTO replay_plan_letters (plan_id, place, letter_id, key_digest,
		topic, part, bytes, at, rest)
	SELECT p.plan_id, o.*, letters_digest(o.letter_id) OVER (
		ORDER BY o.place DESC
		ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
	FROM (SELECT row_number() OVER (ORDER BY n.at, n.row_order, n.letter_id)
			AS place, n.letter_id, n.key_digest, n.topic, n.part, n.bytes, n.at
		-- values are measured before anything is sorted
		FROM (SELECT l.letter_id, l.at, l.row_order,
				CASE WHEN l.record_key IS NOT NULL THEN
				letter_key_digest(l.topic, l.record_key) END AS key_digest,
				CASE WHEN e.elsewhere THEN p.selection->>'to'
				ELSE l.topic END AS topic,
				CASE WHEN NOT e.elsewhere THEN l.part END AS part,
				coalesce(octet_length(l.value), 0) AS bytes
			FROM (SELECT DISTINCT unnest(chosen) AS letter_id) c
			JOIN letters l USING (letter_id)
			CROSS JOIN LATERAL (SELECT p.selection ? 'to'
				AND letter_redirects(l.kind, l.topic) AS elsewhere) e
			OFFSET 0) n) o;
	GET DIAGNOSTICS many = ROW_COUNT;
	RETURN many;
END $$;

-- The letters of a plan in their order, once, by whoever has planned it. Returns
-- how many.
CREATE OR REPLACE FUNCTION choose_letters(plan int8, chosen uuid[]) RETURNS int8
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	p     replay_plans;
	many  int8;
BEGIN
	p := locked_plan(plan);
	IF p.state <> 'planned' OR p.letters > 0
		OR p.planned_role <> session_user THEN
		RAISE EXCEPTION 'plan % of role % is % and has % letters: they are '
			'chosen once, by its planner', plan, p.planned_role, p.state,
			p.letters USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'make another plan: dlq plan';
	END IF;
	many := store_letters(p, chosen);
	UPDATE replay_plans q SET letters = many WHERE q.plan_id = plan;
	INSERT INTO audit_events (actor, action, subject, reason, after)
	VALUES (p.planned_by, 'dlq.plan', 'plan ' || plan, p.reason,
		jsonb_build_object('state', 'planned', 'kind', p.kind,
			'selection', p.selection, 'letters', many));
	RETURN many;
END $$;

-- How many letters are open, older than one of the plan of the same key, and not in
-- the plan: it would pass them. One pass over all letters: the planner takes a plan
-- for a few of them, however many it has.
CREATE OR REPLACE FUNCTION plan_overtakes(plan int8) RETURNS int8
	LANGUAGE sql STABLE SET search_path FROM CURRENT SET enable_nestloop = off AS $$
	WITH chosen AS MATERIALIZED (
		SELECT i.letter_id, i.key_digest, i.at FROM replay_plan_letters i
		WHERE i.plan_id = plan
	), keys AS MATERIALIZED (
		SELECT c.key_digest, max(c.at) AS newest FROM chosen c
		WHERE c.key_digest IS NOT NULL GROUP BY 1
	)
	SELECT count(*) FROM letters o JOIN keys k
		ON k.key_digest = letter_key_digest(o.topic, o.record_key)
		AND o.at < k.newest
	WHERE o.stored_state IN ('pending', 'quarantined') AND o.record_key IS NOT NULL
	AND NOT EXISTS (SELECT FROM chosen c WHERE c.letter_id = o.letter_id) $$;

-- The only way to an approval: the role is the session's own, not what the
-- caller says. two_person may ask for more than the plan and the setting do,
-- never for less.
-- What is approved are the letters that are there now, by number and digest.
CREATE OR REPLACE FUNCTION approve_plan(plan int8, actor text, reason text,
	two_person text DEFAULT 'off') RETURNS text
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	p      replay_plans;
	rule   text;
	many   int8;
	digest bytea;
BEGIN
	PERFORM insist_who_and_why('approve_plan', actor, reason);
	p := locked_plan(plan);
	IF p.state <> 'planned' THEN
		RAISE EXCEPTION 'plan % is %: only a planned one is approved',
			plan, p.state USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	SELECT count(*), letters_digest(i.letter_id ORDER BY i.place DESC)
		INTO many, digest
		FROM replay_plan_letters i WHERE i.plan_id = plan;
	IF many = 0 OR many <> p.letters THEN
		RAISE EXCEPTION 'plan % has % letters, and % were chosen', plan, many,
			p.letters USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'cancel it and plan again';
	END IF;
	SELECT strictest(p.two_person, approve_plan.two_person, s.two_person)
		INTO rule FROM plan_settings s;
	IF rule <> 'off' AND actor = p.planned_by THEN
		RAISE EXCEPTION 'plan % was planned by % too: two people are '
			'asked for', plan, actor
			USING ERRCODE = 'insufficient_privilege',
			HINT = 'let somebody else approve it';
	END IF;
	IF rule = 'role' AND session_user = p.planned_role THEN
		RAISE EXCEPTION 'plan % was planned by database role % too: two '
			'roles are asked for', plan, session_user
			USING ERRCODE = 'insufficient_privilege',
			HINT = 'let somebody approve it who logs in with a role of '
			'their own';
	END IF;
	UPDATE replay_plans q SET state = 'approved', two_person = rule,
		approved_by = actor, approved_role = session_user,
		approved_at = clock_timestamp(), approved_letters = many,
		approved_digest = digest, left_digest = digest,
		changed_at = clock_timestamp()
		WHERE q.plan_id = plan;
	INSERT INTO audit_events (actor, action, subject, reason, before, after)
	VALUES (actor, 'dlq.approve', 'plan ' || plan, reason,
		jsonb_build_object('state', p.state),
		jsonb_build_object('state', 'approved', 'kind', p.kind,
			'letters', many, 'digest', encode(digest, 'hex'),
			'selection', p.selection, 'planned_by', p.planned_by,
			'two_person', rule));
	RETURN rule;
END $$;

-- Into another state. detail: why, as `dlq plans` shows it.
CREATE OR REPLACE FUNCTION turn_plan(plan int8, become text, detail text, actor text,
	reason text) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	p replay_plans;
BEGIN
	PERFORM insist_who_and_why('turn_plan', actor, reason);
	p := locked_plan(plan);
	IF (p.state = ANY (CASE become
		WHEN 'running' THEN '{approved,stopped,running}'
		WHEN 'stopped' THEN '{running}'
		WHEN 'cancelled' THEN '{planned,approved,running,stopped}'
		WHEN 'done' THEN CASE WHEN p.next_place > p.letters
			THEN '{running}' END
		END::text[])) IS NOT TRUE THEN
		RAISE EXCEPTION 'plan % is % at % of % letters: it cannot become %',
			plan, p.state, p.next_place - 1, p.letters, become
			USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'see dlq plans ' || plan;
	END IF;
	IF become = 'running' AND EXISTS (SELECT FROM plan_settings s
		WHERE strictest(s.two_person, p.two_person) <> p.two_person) THEN
		RAISE EXCEPTION 'plan % was approved under two_person = %, and more '
			'is asked for now', plan, p.two_person
			USING ERRCODE = 'insufficient_privilege',
			HINT = 'plan it again';
	END IF;
	UPDATE replay_plans q SET state = become, state_reason = detail,
		changed_at = clock_timestamp() WHERE q.plan_id = plan;
	INSERT INTO audit_events (actor, action, subject, reason, before, after)
	SELECT actor, CASE become WHEN 'running' THEN 'dlq.run'
			WHEN 'stopped' THEN 'dlq.stop'
			WHEN 'cancelled' THEN 'dlq.cancel' ELSE 'dlq.done' END,
		'plan ' || plan, reason, jsonb_build_object('state', p.state),
		jsonb_build_object('state', become, 'detail', detail, 'kind', p.kind,
			'selection', p.selection, 'letters', p.letters, 'counts', (
			SELECT jsonb_object_agg(k.outcome, k.n) FROM (
				SELECT coalesce(i.outcome, 'waiting') AS outcome,
					count(*) AS n
				FROM replay_plan_letters i WHERE i.plan_id = plan
				GROUP BY 1) k));
END $$;

-- The canary's letters were read, and no more of them came back than may.
CREATE OR REPLACE FUNCTION pass_canary(plan int8, actor text) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	p replay_plans;
	r record;
BEGIN
	PERFORM insist_who_and_why('pass_canary', actor, 'it passed');
	p := locked_plan(plan);
	SELECT * INTO r FROM replay_plan_returns(plan);
	IF (p.state = 'running' AND r.judged >= r.sent
		AND r.returned <= p.canary_returns
		AND (r.sent >= p.canary OR p.next_place > p.letters)) IS NOT TRUE THEN
		RAISE EXCEPTION 'plan % is %, its canary % of %, % read, % came back, '
			'at most % may: it has not passed', plan, p.state, r.sent,
			p.canary, r.judged, r.returned, p.canary_returns
			USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'see dlq plans ' || plan;
	END IF;
	UPDATE replay_plans q SET canary_passed = true,
		state_reason = 'the canary passed', changed_at = clock_timestamp()
		WHERE q.plan_id = plan;
	INSERT INTO audit_events (actor, action, subject, reason, after)
	VALUES (actor, 'dlq.canary', 'plan ' || plan, 'the canary passed',
		jsonb_build_object('sent', r.sent, 'judged', r.judged,
			'returned', r.returned, 'selection', p.selection));
END $$;

-- The plan's row stays locked until the transaction ends, while its letters from
-- this place on are decided, one after the other. False: somebody has stopped it,
-- or it is elsewhere. All are looked at before any of them is sent.
CREATE OR REPLACE FUNCTION begin_page(plan int8, at_place int8, chosen uuid[])
	RETURNS boolean
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	p     replay_plans;
	last  int8 := at_place + cardinality(chosen) - 1;
	wrong record;
BEGIN
	p := locked_plan(plan);
	IF (p.state = 'running' AND p.next_place = at_place) IS NOT TRUE THEN
		RETURN false;
	END IF;
	SELECT c.place, c.letter INTO wrong
		FROM (SELECT at_place + u.n - 1 AS place, u.letter, i.letter_id, i.rest,
				lag(i.rest, 1, p.left_digest) OVER (ORDER BY u.n) AS left_there
			FROM unnest(chosen) WITH ORDINALITY AS u(letter, n)
			LEFT JOIN replay_plan_letters i ON i.plan_id = plan
				AND i.place = at_place + u.n - 1) c
		WHERE (c.letter_id = c.letter AND c.place <= p.approved_letters
			AND letters_digest_step(c.rest, c.letter_id) = c.left_there)
			IS NOT TRUE
		ORDER BY c.place LIMIT 1;
	IF FOUND OR (last >= at_place) IS NOT TRUE THEN
		RAISE EXCEPTION 'plan %: letter % at place % is not what was approved '
			'(% letters)', plan, wrong.letter,
			coalesce(wrong.place, at_place), p.approved_letters
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT =
			'find out who changed replay_plan_letters; dlq cancel it, and '
			'plan again';
	END IF;
	IF p.canary > 0 AND NOT p.canary_passed AND last > p.canary
		AND p.canary < cardinality(chosen) + (SELECT count(*)
			FROM replay_plan_letters l
			WHERE l.plan_id = plan AND l.outcome = 'sent') THEN
		RAISE EXCEPTION 'plan %: its canary of % has not passed', plan,
			p.canary USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	RETURN true;
END $$;

-- What became of the letter there, and the cursor behind it.
CREATE OR REPLACE FUNCTION end_step(plan int8, at_place int8, became text, why text)
	RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	p replay_plans;
	i replay_plan_letters;
BEGIN
	p := locked_plan(plan);
	SELECT * INTO i FROM replay_plan_letters l
		WHERE l.plan_id = plan AND l.place = at_place;
	IF (p.state = 'running' AND p.next_place = at_place
		AND at_place <= p.approved_letters AND CASE became
		WHEN 'sent' THEN EXISTS (SELECT FROM letter_replays r
			WHERE r.letter_id = i.letter_id AND r.plan_id = plan)
		WHEN 'discarded' THEN EXISTS (SELECT FROM letter_states s
			WHERE s.letter_id = i.letter_id AND s.state = 'discarded')
		ELSE true END) IS NOT TRUE THEN
		RAISE EXCEPTION 'plan % is % at place %: its letter at % was not %',
			plan, p.state, p.next_place, at_place, became
			USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'see dlq plans ' || plan;
	END IF;
	UPDATE replay_plan_letters l SET outcome = became, detail = why
		WHERE l.plan_id = plan AND l.place = at_place;
	UPDATE replay_plans q SET next_place = at_place + 1, left_digest = i.rest,
		changed_at = clock_timestamp() WHERE q.plan_id = plan;
END $$;

CREATE OR REPLACE FUNCTION refuse_own_edits() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	e record;
BEGIN
	WITH RECURSIVE meant AS (
		SELECT i.place, i.letter_id, i.letter_id AS wrote
		FROM replay_plan_letters i WHERE i.plan_id = NEW.plan_id
		-- an edit says what its original says, but for a part of it
		UNION SELECT m.place, m.letter_id, w.original_id
		FROM meant m JOIN letter_edits w ON w.letter_id = m.wrote
	), wrote AS (
		SELECT m.place, m.letter_id, 'edited' AS how, w.edited_by AS who,
			w.edited_role AS by_role
		FROM meant m JOIN letter_edits w ON w.letter_id = m.wrote
		WHERE m.wrote = m.letter_id
		UNION ALL
		SELECT m.place, m.letter_id, 'imported', f.imported_by,
			f.imported_role
		FROM meant m JOIN foreign_letters f ON f.letter_id = m.wrote
	)
	SELECT w.* INTO e FROM wrote w WHERE w.who = NEW.approved_by
		OR NEW.two_person = 'role' AND w.by_role IN ('', NEW.approved_role)
		ORDER BY w.place LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'letter % of plan % was % by % (database role %) too: '
			'two people are asked for, and who brought a message in does not '
			'approve it', e.letter_id, NEW.plan_id, e.how, e.who, e.by_role
			USING ERRCODE = 'insufficient_privilege',
			HINT = 'let somebody else approve the plan';
	END IF;
	RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION refuse_own_edits FROM PUBLIC;

-- What is discarded reaches nobody, whoever wrote it.
CREATE OR REPLACE TRIGGER replay_plans_own_edits BEFORE UPDATE OF state ON replay_plans
	FOR EACH ROW WHEN (NEW.state = 'approved' AND NEW.two_person <> 'off'
		AND NEW.kind = 'replay') EXECUTE FUNCTION refuse_own_edits();

-- A relay that is gone for good holds no day back any more: what its slot has
-- delivered is forgotten. Refuses while the slot is there or its relay leads it;
-- one that comes back begins as if it had never run. Returns the row.
CREATE OR REPLACE FUNCTION forget_slot(slot text, actor text, reason text,
	dry_run boolean DEFAULT false) RETURNS jsonb
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	old  relay_progress;
	lead int4;
BEGIN
	PERFORM insist_who_and_why('forget_slot', actor, reason);
	SELECT * INTO old FROM relay_progress p WHERE p.slot = forget_slot.slot
		FOR UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'no relay has delivered by slot %', slot
			USING ERRCODE = 'no_data_found', HINT =
			'the slots that are known are the rows of relay_progress';
	END IF;
	IF EXISTS (SELECT FROM pg_replication_slots s
		WHERE s.slot_name = forget_slot.slot) THEN
		RAISE EXCEPTION 'slot % is there still', slot
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format(
			'start its relay; or, when it is gone for good, let a superuser '
			'run SELECT pg_drop_replication_slot(%L)', slot);
	END IF;
	SELECT l.pid INTO lead FROM pg_locks l WHERE l.locktype = 'advisory'
		AND l.classid::int8 = 17225 AND l.objid::int8 =
			hashtext(forget_slot.slot)::int8 & 4294967295 AND l.granted
		AND l.database = (SELECT oid FROM pg_database
			WHERE datname = current_database()) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'slot % is led by a relay (backend %)', slot, lead
			USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'stop that relay';
	END IF;
	IF NOT dry_run THEN
		DELETE FROM relay_progress p WHERE p.slot = forget_slot.slot;
		INSERT INTO audit_events (actor, action, subject, reason, before)
		VALUES (actor, 'forget_slot', slot, reason, to_jsonb(old));
	END IF;
	RETURN to_jsonb(old);
END $$;

REVOKE ALL ON FUNCTION forget_slot, lock_letter, claim_letter, put_delivery_back,
	letter_delivered, letter_returned, stop_delivery, bury_deliveries,
	decide_letter, edit_letter, insist_import, import_letter,
	move_import, audit_letters, locked_plan, strictest, set_two_person,
	make_plan, store_letters, choose_letters, plan_overtakes, approve_plan,
	turn_plan, pass_canary, begin_page, end_step, refuse_tried_plan FROM PUBLIC;

-- Of plans that were made before: what a look at them needs.
UPDATE replay_plan_letters i SET at = l.at,
	topic = CASE WHEN letter_redirects(l.kind, l.topic) AND p.selection ? 'to'
		THEN p.selection->>'to' ELSE l.topic END,
	part = CASE WHEN NOT (letter_redirects(l.kind, l.topic)
		AND p.selection ? 'to')
		THEN l.part END,
	bytes = coalesce(octet_length(l.value), 0)
FROM replay_plans p, letters l WHERE i.topic IS NULL AND p.plan_id = i.plan_id
	AND i.place >= p.next_place AND l.letter_id = i.letter_id;

-- An install that was made before has granted more.
REVOKE INSERT, UPDATE ON letter_states, letter_replays, letter_edits,
	replay_plans, replay_plan_letters, foreign_letters, foreign_cursors,
	audit_events FROM :"role";
REVOKE EXECUTE ON FUNCTION lock_letter, decide_letter, edit_letter,
	audit_letters, choose_letters, approve_plan, turn_plan, pass_canary,
	end_step FROM :"role";
REVOKE INSERT, UPDATE ON replay_plans, foreign_letters, foreign_cursors
	FROM :"operator";
DROP FUNCTION IF EXISTS count_import(uuid, int4);
DROP FUNCTION IF EXISTS begin_step(int8, int8, uuid);

-- The relay.
GRANT USAGE ON SCHEMA :"schema" TO :"role";
GRANT SELECT, INSERT, UPDATE ON relay_progress TO :"role";
GRANT SELECT, INSERT ON delivery_marks TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox_retry, webhook_deliveries,
	webhook_keys TO :"role";
GRANT SELECT, INSERT ON dead_letters TO :"role";
GRANT SELECT ON letter_states, letter_replays, letter_edits, replay_plans,
	replay_plan_letters, foreign_letters, foreign_cursors, audit_events,
	letters, blocked_keys TO :"role";
GRANT EXECUTE ON FUNCTION letter_delivered, letter_returned TO :"role";

-- Who decides about letters: they read, and change by the functions.
GRANT USAGE ON SCHEMA :"schema" TO :"operator";
GRANT EXECUTE ON FUNCTION forget_slot, lock_letter, claim_letter, bury_deliveries, decide_letter, edit_letter,
	import_letter, move_import, audit_letters, make_plan,
	choose_letters, plan_overtakes, approve_plan, turn_plan, pass_canary, begin_page, end_step TO :"operator";
GRANT SELECT ON relay_progress, delivery_marks, outbox_retry, dead_letters,
	letter_states,
	letter_replays, letter_edits, replay_plans, replay_plan_letters,
	plan_settings, foreign_letters, foreign_cursors, audit_events,
	webhook_deliveries, webhook_keys, letters, blocked_keys TO :"operator";

-- ---- letters that nobody needs any more

-- The tables that are relayed, as outbox_table says them, and the column of
-- outbox_id where every row has one: else a row is not found by its letter.
CREATE TABLE IF NOT EXISTS outbox_tables (
	table_name text PRIMARY KEY,
	id_column  text NOT NULL
);

-- How the table of each slot was published when its relay looked last.
CREATE TABLE IF NOT EXISTS table_publications (
	slot text PRIMARY KEY REFERENCES relay_progress ON DELETE CASCADE,
	how  text NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON table_publications TO :"role";

CREATE OR REPLACE FUNCTION this_system() RETURNS text
	LANGUAGE sql STABLE AS $$
	SELECT system_identifier::text FROM pg_control_system() $$;

-- The table of that name, <schema>.<table> without quotes, as outbox_table says
-- it; NULL: it is gone.
CREATE OR REPLACE FUNCTION table_named(name text) RETURNS regclass
	LANGUAGE sql STABLE AS $$
	SELECT to_regclass(format('%I.%I', split_part(name, '.', 1),
		substr(name, strpos(name, '.') + 1))) $$;

-- What letters know a row by: an id of 64 bytes or more by its digest.
CREATE OR REPLACE FUNCTION row_name(id text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN octet_length(id) < 64 THEN id ELSE
		left(encode(sha256(convert_to(id, 'UTF8')), 'hex'), 62) END $$;

-- Those of the names that rows of the table have. By the column's own type where
-- it is a number, a uuid or text: then an index of it serves.
CREATE OR REPLACE FUNCTION rows_named(of_table regclass, id_column text,
	names text[]) RETURNS SETOF text
	LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	typed text;
BEGIN
	SELECT CASE WHEN a.atttypid = 'uuid'::regtype THEN 'SELECT DISTINCT n::uuid '
			'FROM unnest($1) n WHERE n ~ ''^[0-9a-f]{8}(-[0-9a-f]{4}){3}-'
			'[0-9a-f]{12}$'''
		WHEN a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
			THEN 'SELECT DISTINCT n::int8 FROM unnest($1) n WHERE CASE WHEN '
			'n ~ ''^-?[0-9]{1,19}$'' THEN n::numeric BETWEEN '
			'-9223372036854775808 AND 9223372036854775807 END'
		-- of 62 digits: what stands for a longer one is not found by itself
		WHEN a.atttypid IN ('text'::regtype, 'varchar'::regtype) AND NOT EXISTS (
			SELECT FROM unnest(names) n WHERE n ~ '^[0-9a-f]{62}$')
			THEN 'SELECT DISTINCT n FROM unnest($1) n' END INTO typed
	FROM pg_attribute a WHERE a.attrelid = of_table AND a.attname = id_column;
	RETURN QUERY EXECUTE format(CASE WHEN typed IS NOT NULL
		THEN 'WITH w (id) AS MATERIALIZED (%3$s) '
			'SELECT row_name(c.%1$I::text) FROM %2$s c JOIN w ON w.id = c.%1$I'
		ELSE 'SELECT row_name(c.%1$I::text) FROM %2$s c '
			'WHERE row_name(c.%1$I::text) = ANY ($1)' END,
		id_column, of_table, typed) USING names;
END $$;

-- Before it every relay of this schema has read its slot for good.
CREATE OR REPLACE FUNCTION read_before() RETURNS pg_lsn
	LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
	SELECT coalesce(min(coalesce(greatest(CASE p.system_id WHEN this_system()
		THEN p.lsn END, s.confirmed_flush_lsn), '0/0')), 'FFFFFFFF/FFFFFFFF')
	FROM relay_progress p JOIN pg_replication_slots s
		ON s.slot_name = p.slot AND s.database = current_database() $$;

-- Takes out letters of an application's rows that were decided more than
-- keep_days ago; at most so many at once, the oldest first. What stays, however
-- old: a pending one; one whose row may be read again, since it is in its table or
-- not behind every slot's position (it would be delivered after all); one that was
-- edited, is part of a plan, or has rows behind it; webhooks' and foreign ones.
-- Their replays and what the audit trail says of each stay for good. Returns
-- what goes, by source and state; dry_run only returns.
CREATE OR REPLACE FUNCTION prune_letters(keep_days int4, actor text, reason text,
	dry_run boolean DEFAULT false, most int4 DEFAULT 100000)
	RETURNS TABLE (source text, state text, letters int8,
		first_parked timestamptz, last_parked timestamptz)
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	gone  uuid[];
	shown jsonb;
BEGIN
	PERFORM insist_who_and_why('prune_letters', actor, reason);
	IF keep_days IS NULL OR keep_days < 1 OR most IS NULL OR most < 1 THEN
		RAISE EXCEPTION 'keep_days is % and most is %, each is 1 at least',
			coalesce(keep_days::text, 'null'), coalesce(most::text, 'null')
			USING ERRCODE = 'invalid_parameter_value', HINT =
			'SELECT * FROM prune_letters(365, ''you'', ''why'', true)';
	END IF;
	WITH old AS MATERIALIZED (
		SELECT d.letter_id, d.source, d.row_id, t.id_column
		FROM letter_states s JOIN dead_letters d USING (letter_id)
		JOIN outbox_tables t ON t.table_name = d.source
		WHERE s.state IN ('resolved', 'discarded')
		AND s.changed_at < now() - make_interval(
			days => prune_letters.keep_days)
		AND d.parked_lsn <= read_before()
		AND table_named(d.source) IS NOT NULL
		AND NOT EXISTS (SELECT FROM letter_edits e
			WHERE s.letter_id IN (e.letter_id, e.original_id))
		AND NOT EXISTS (SELECT FROM replay_plan_letters p
			WHERE p.letter_id = s.letter_id)
		AND NOT EXISTS (SELECT FROM outbox_retry r
			WHERE r.blocked_by = s.letter_id)
	), there AS MATERIALIZED (
		SELECT o.source, n.row_id FROM (SELECT w.source, w.id_column,
			array_agg(w.row_id) AS names FROM old w GROUP BY 1, 2) o,
			rows_named(table_named(o.source), o.id_column, o.names) n (row_id)
	)
	SELECT array_agg(c.letter_id ORDER BY c.letter_id) INTO gone FROM (
		SELECT s.letter_id FROM old o JOIN letter_states s USING (letter_id)
		WHERE NOT EXISTS (SELECT FROM there h
			WHERE h.source = o.source AND h.row_id = o.row_id)
		-- locked as by whoever decides one
		ORDER BY s.letter_id LIMIT most FOR UPDATE OF s) c;
	SELECT jsonb_agg(to_jsonb(g)) INTO shown FROM (
		SELECT d.source, s.state, count(*) AS letters,
			min(d.parked_at) AS first_parked,
			max(d.parked_at) AS last_parked
		FROM dead_letters d JOIN letter_states s USING (letter_id)
		WHERE d.letter_id = ANY (gone)
		GROUP BY d.source, s.state ORDER BY d.source, s.state) g;
	RETURN QUERY SELECT r.* FROM jsonb_to_recordset(shown) AS r (source text,
		state text, letters int8, first_parked timestamptz,
		last_parked timestamptz);
	IF dry_run OR gone IS NULL THEN
		RETURN;
	END IF;
	DELETE FROM dead_letters d WHERE d.letter_id = ANY (gone);
	DELETE FROM letter_states s WHERE s.letter_id = ANY (gone);
	INSERT INTO audit_events (actor, action, subject, reason, before)
	VALUES (actor, 'prune_letters', 'dead_letters', reason,
		jsonb_build_object('keep_days', keep_days, 'letters',
			cardinality(gone), 'ids_sha256', encode(sha256(convert_to(
			array_to_string(gone, ','), 'UTF8')), 'hex'), 'of', shown));
END $$;
REVOKE ALL ON FUNCTION this_system, table_named, row_name, rows_named, read_before,
	prune_letters FROM PUBLIC;
GRANT EXECUTE ON FUNCTION prune_letters TO :"operator";

-- ---- time partitions, when asked for

\if :partitions
SET LOCAL search_path = :"schema", pg_temp;

CREATE TABLE IF NOT EXISTS partitioned_tables (
	table_name  text PRIMARY KEY,      -- as outbox_table says it
	relation    regclass NOT NULL UNIQUE,
	time_column text NOT NULL,
	id_column   text NOT NULL,
	step        interval NOT NULL CHECK (step >= '1 hour'),
	ahead       interval NOT NULL CHECK (ahead >= '1 hour'),
	keep        interval NOT NULL CHECK (keep >= '0')
);

-- What no row comes to any more. Whatever is in it was committed before
-- closed_lsn, a position of that system.
CREATE TABLE IF NOT EXISTS closed_partitions (
	partition  regclass PRIMARY KEY,
	closed_lsn pg_lsn NOT NULL,
	system_id  text NOT NULL,
	closed_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Tables with partitions that some session may not know, and since when.
--
-- PostgreSQL (15.18) may leave a session that opens a partitioned table just
-- while a partition is attached without that partition, until the session hears
-- of the table again: it reads past the rows, and its new ones are refused. So
-- every table is told of a second time, a moment later.
CREATE TABLE IF NOT EXISTS untold_partitions (
	parent  regclass PRIMARY KEY,
	made_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Tells all sessions of them: any change of the table's definition does. Who
-- analyses a table meanwhile has it told the next time.
CREATE OR REPLACE FUNCTION tell_partitions() RETURNS void
	LANGUAGE plpgsql SET search_path FROM CURRENT SET lock_timeout = '2s' AS $$
DECLARE
	r record;
BEGIN
	FOR r IN SELECT u.parent, a.attname, coalesce(a.attstattarget, -1) AS target
		FROM untold_partitions u CROSS JOIN LATERAL (
			SELECT attname, attstattarget FROM pg_attribute
			WHERE attrelid = u.parent AND attnum > 0 AND NOT attisdropped
			ORDER BY attnum LIMIT 1) a
		WHERE u.made_at < clock_timestamp() - interval '1 second'
		ORDER BY u.parent::text LOOP
	BEGIN
		EXECUTE format('ALTER TABLE ONLY %s ALTER COLUMN %I SET STATISTICS %s',
			r.parent, r.attname, r.target);
		DELETE FROM untold_partitions WHERE parent = r.parent;
	EXCEPTION WHEN lock_not_available THEN
		CONTINUE;
	END;
	END LOOP;
END $$;

CREATE OR REPLACE FUNCTION partitions_of(parent regclass)
	RETURNS TABLE (part regclass, lower timestamptz, upper timestamptz)
	LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
	SELECT c.oid::regclass,
		substring(b.bound FROM 'FROM \(''([^'']+)''\)')::timestamptz,
		substring(b.bound FROM 'TO \(''([^'']+)''\)')::timestamptz
	FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
		pg_get_expr(c.relpartbound, c.oid) b (bound)
	WHERE i.inhparent = parent AND NOT i.inhdetachpending
	ORDER BY 3 NULLS LAST $$;

-- The partition that begins at that time, as a table of its own that is
-- attached: that locks nobody out. False: it is there; or rows of its time lie
-- in the rest, which PostgreSQL would have to move.
CREATE OR REPLACE FUNCTION make_partition(t partitioned_tables,
	from_time timestamptz) RETURNS boolean
	LANGUAGE plpgsql SET search_path FROM CURRENT SET timezone = 'UTC' AS $$
DECLARE
	parent pg_class;
	child  text;
	upto   timestamptz;
BEGIN
	IF EXISTS (SELECT FROM partitions_of(t.relation) p
		WHERE p.upper > from_time
		AND (p.lower IS NULL OR p.lower <= from_time)) THEN
		RETURN false;
	END IF;
	SELECT least(from_time + t.step, min(p.lower)) INTO upto
		FROM partitions_of(t.relation) p WHERE p.lower > from_time;
	SELECT * INTO parent FROM pg_class c WHERE c.oid = t.relation;
	child := format('%I.%I', (SELECT nspname FROM pg_namespace n
		WHERE n.oid = parent.relnamespace), left(parent.relname, 48) || '_p'
		|| to_char(from_time, 'YYYYMMDDHH24MI'));
	EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING '
		'CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE)', child, t.relation);
	EXECUTE format('ALTER TABLE %s OWNER TO %I', child,
		pg_get_userbyid(parent.relowner));
	EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) '
		'TO (%L)', t.relation, child, from_time, upto);
	INSERT INTO untold_partitions VALUES (t.relation)
	ON CONFLICT ON CONSTRAINT untold_partitions_pkey
		DO UPDATE SET made_at = excluded.made_at;
	RETURN true;
EXCEPTION WHEN check_violation THEN
	RAISE WARNING 'no partition of % from %: rows of that time lie in its '
		'rest', t.table_name, from_time;
	RETURN false;
END $$;

-- What must be there for the time ahead; what was made before is told. Returns
-- how many were made.
CREATE OR REPLACE FUNCTION ensure_partitions() RETURNS int4
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
	SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
	t    partitioned_tables;
	at   timestamptz;
	made int4 := 0;
BEGIN
	-- two relays: one makes them, the other finds them
	PERFORM pg_advisory_xact_lock(17225, 0);
	FOR t IN SELECT * FROM partitioned_tables LOOP
		at := date_bin(t.step, now(), '2000-01-01 00:00+00');
		WHILE at < now() + t.ahead LOOP
			made := made + make_partition(t, at)::int4;
			at := at + t.step;
		END LOOP;
	END LOOP;
	IF made = 0 THEN
		PERFORM tell_partitions();
	END IF;
	RETURN made;
END $$;

-- How many of the time ahead are not there: they were not to be had, or rows of
-- their time lie in the rest.
CREATE OR REPLACE FUNCTION partitions_missing() RETURNS int8
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
	SET timezone = 'UTC' AS $$
	SELECT count(*) FROM partitioned_tables t, generate_series(
		date_bin(t.step, now(), '2000-01-01 00:00+00'),
		now() + t.ahead - interval '1 microsecond', t.step) at
	WHERE NOT EXISTS (SELECT FROM partitions_of(t.relation) p
		WHERE p.upper > at AND (p.lower IS NULL OR p.lower <= at)) $$;

-- The rows of letters that nobody has decided, and those that wait.
CREATE OR REPLACE FUNCTION undecided_of(t partitioned_tables) RETURNS text[]
	LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
	SELECT coalesce(array_agg(w.row_id), '{}') FROM (
		SELECT r.row_id FROM outbox_retry r WHERE r.source = t.table_name
		UNION SELECT d.row_id FROM dead_letters d
		WHERE d.source IN (t.table_name, 'webhook') AND d.is_open) w $$;

-- What must be true before a partition may go and is known without a look at its
-- rows, in the order in which it is mended, as far as it makes sense to ask. A
-- relay's position is what it has stored; while it reads its slot, what it has told
-- the slot, which moves on when there is nothing to deliver.
CREATE OR REPLACE FUNCTION delivery_conditions(t partitioned_tables,
	part regclass)
	RETURNS TABLE (condition text, ok boolean, value text, needed text,
		mend text)
	LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	upto   timestamptz;
	closed pg_lsn;
	r      record;
BEGIN
	SELECT p.upper INTO upto FROM partitions_of(t.relation) p
		WHERE p.part = delivery_conditions.part;
	condition := 'age';
	ok := coalesce(upto <= now() - t.keep, false);
	value := coalesce('ends ' || upto, 'has no end');
	needed := 'before ' || (now() - t.keep);
	mend := CASE WHEN upto IS NULL THEN 'docs/alone.md: rows in the rest'
		ELSE 'wait, or lower keep by set_partition_keep()' END;
	RETURN NEXT;
	IF NOT ok THEN
		RETURN;
	END IF;

	SELECT c.closed_lsn INTO closed FROM closed_partitions c
		WHERE c.partition = part AND c.system_id = this_system()
		AND EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = part
			AND k.conname = 'closed_by_outbox_relay');
	condition := 'closed';
	ok := closed IS NOT NULL;
	value := CASE WHEN ok THEN 'at ' || closed ELSE 'open' END;
	needed := 'closed';
	mend := 'the next drop_due_partitions() closes it, the one after it drops it';
	RETURN NEXT;
	IF NOT ok THEN
		RETURN;
	END IF;

	condition := 'delivered';
	needed := closed;
	mend := 'let the relay catch up; of a slot that is gone for good: SELECT '
		'forget_slot(...)';
	FOR r IN SELECT p.slot, CASE WHEN s.active THEN greatest(p.lsn,
			s.confirmed_flush_lsn) ELSE p.lsn END AS lsn
		FROM relay_progress p LEFT JOIN pg_replication_slots s
			ON s.slot_name = p.slot AND s.database = current_database()
		WHERE p.lsn IS NOT NULL AND p.system_id = this_system()
		UNION ALL SELECT p.slot, NULL FROM relay_progress p
		WHERE p.lsn IS NULL OR p.system_id <> this_system()
		ORDER BY 1 LOOP
		ok := coalesce(r.lsn >= closed, false);
		value := format('slot %s at %s', r.slot,
			coalesce(r.lsn::text, 'no position: the table is read again'));
		RETURN NEXT;
	END LOOP;
	IF NOT EXISTS (SELECT FROM relay_progress) THEN
		ok := false;
		value := 'no relay has delivered yet';
		mend := 'start outbox-relay';
		RETURN NEXT;
	END IF;
END $$;

-- And all that must be true.
CREATE OR REPLACE FUNCTION partition_conditions(t partitioned_tables,
	part regclass)
	RETURNS TABLE (condition text, ok boolean, value text, needed text,
		mend text)
	LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
	RETURN QUERY SELECT * FROM delivery_conditions(t, part);
	IF EXISTS (SELECT FROM delivery_conditions(t, part) c WHERE NOT c.ok) THEN
		RETURN;
	END IF;
	condition := 'letters';
	SELECT count(*) INTO value
		FROM rows_named(part, t.id_column, undecided_of(t));
	ok := value = '0';
	needed := '0';
	mend := 'outbox-relay dlq list, then dlq replay or dlq discard';
	RETURN NEXT;
END $$;

-- Keeps vacuum and other calls away until the transaction ends, and nobody else: a
-- vacuum that is at work there ends itself after deadlock_timeout. False: it was
-- not free.
CREATE OR REPLACE FUNCTION hold_partition(part regclass, wait_ms int4)
	RETURNS boolean
	LANGUAGE plpgsql SET search_path FROM CURRENT SET lock_timeout = '200ms' AS $$
BEGIN
	PERFORM set_config('lock_timeout', greatest(wait_ms, 1)::text, true);
	EXECUTE format('LOCK TABLE %s IN SHARE UPDATE EXCLUSIVE MODE', part);
	RETURN true;
EXCEPTION WHEN lock_not_available THEN
	RETURN false;
END $$;

-- For a moment only, since the application waits behind whoever waits for this.
CREATE OR REPLACE FUNCTION lock_briefly(relations text, waits boolean)
	RETURNS void
	LANGUAGE plpgsql SET search_path FROM CURRENT SET lock_timeout = '200ms' AS $$
BEGIN
	EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE %s', relations,
		CASE WHEN NOT waits THEN 'NOWAIT' END);
END $$;

-- False: it was in use.
CREATE OR REPLACE FUNCTION close_when_free(part regclass, actor text,
	reason text, waits boolean) RETURNS boolean
	LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM lock_briefly(part::text, waits);
	-- not validated, so it refuses new rows and says nothing of those there
	IF NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = part
		AND c.conname = 'closed_by_outbox_relay') THEN
		EXECUTE format('ALTER TABLE %s ADD CONSTRAINT closed_by_outbox_relay '
			'CHECK (false) NOT VALID', part);
	END IF;
	INSERT INTO closed_partitions AS c (partition, closed_lsn, system_id)
		VALUES (part, pg_current_wal_insert_lsn(), this_system())
		ON CONFLICT (partition) DO UPDATE SET
		closed_lsn = excluded.closed_lsn, system_id = excluded.system_id;
	INSERT INTO audit_events (actor, action, subject, reason)
		VALUES (actor, 'partition.close', part, reason);
	RETURN true;
EXCEPTION WHEN lock_not_available THEN
	RETURN false;
END $$;

-- Under the lock nothing is asked that takes longer the more rows the partition
-- has: it is closed, so what was seen of its rows is still true. rows: how many
-- they are; undecided: what undecided_of() said when none of that was in it.
CREATE OR REPLACE FUNCTION drop_partition(t partitioned_tables, part regclass,
	rows int8, undecided text[], actor text, reason text, waits boolean)
	RETURNS void
	LANGUAGE plpgsql SET search_path FROM CURRENT SET lock_timeout = '200ms' AS $$
BEGIN
	-- the table last: while the partition is waited for, rows are inserted
	PERFORM lock_briefly(format('%s, ONLY %s', part, t.relation), waits);
	IF EXISTS (SELECT FROM delivery_conditions(t, part) WHERE NOT ok)
		OR EXISTS (SELECT unnest(undecided_of(t))
			EXCEPT SELECT unnest(undecided)) THEN
		RAISE lock_not_available;
	END IF;
	INSERT INTO audit_events (actor, action, subject, reason, before)
	SELECT actor, 'partition.drop', p.part, reason, jsonb_build_object(
		'rows', rows, 'bytes', pg_total_relation_size(p.part),
		'lower', p.lower, 'upper', p.upper, 'closed_lsn', c.closed_lsn)
	FROM partitions_of(t.relation) p, closed_partitions c
	WHERE p.part = drop_partition.part AND c.partition = p.part;
	DELETE FROM closed_partitions c WHERE c.partition = part;
	EXECUTE format('ALTER TABLE %s DETACH PARTITION %s', t.relation, part);
	EXECUTE format('DROP TABLE %s', part);
END $$;

-- Tries for 200 ms at a time, for wait_ms in all; waits = false: once, and waits
-- for nobody. False: it was not free, or a letter came.
CREATE OR REPLACE FUNCTION drop_when_free(t partitioned_tables, part regclass,
	rows int8, undecided text[], actor text, reason text, wait_ms int4,
	waits boolean) RETURNS boolean
	LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	began timestamptz := clock_timestamp();
	names text[] := undecided;
	fresh text[];
BEGIN
	LOOP
		BEGIN
			PERFORM drop_partition(t, part, rows, names, actor, reason, waits);
			RETURN true;
		EXCEPTION WHEN lock_not_available THEN
			IF NOT waits
				OR clock_timestamp() > began + wait_ms * interval '1 ms' THEN
				RETURN false;
			END IF;
		END;
		PERFORM pg_sleep(0.3);
		fresh := ARRAY(SELECT unnest(undecided_of(t))
			EXCEPT SELECT unnest(names));
		IF EXISTS (SELECT FROM rows_named(part, t.id_column, fresh)) THEN
			RETURN false;
		END IF;
		names := names || fresh;
	END LOOP;
END $$;

CREATE OR REPLACE FUNCTION rows_in(part regclass) RETURNS int8
	LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	rows int8;
BEGIN
	EXECUTE format('SELECT count(*) FROM %s', part) INTO rows;
	RETURN rows;
END $$;

-- What is kept no longer, and what is to be done with it; held until the
-- transaction ends, where it could be and wait_ms is not NULL. rows and undecided:
-- of what may go.
CREATE OR REPLACE FUNCTION due_partitions(wait_ms int4)
	RETURNS TABLE (of_table partitioned_tables, part regclass, done text,
		why text, mend text, held boolean, rows int8, undecided text[])
	LANGUAGE sql SET search_path FROM CURRENT AS $$
	SELECT x, y.part, d.done, c.condition || ' is ' || c.value ||
			', needed is ' || c.needed, c.mend, d.done = 'kept'
			OR wait_ms IS NULL OR hold_partition(y.part, wait_ms),
		CASE d.done WHEN 'dropped' THEN rows_in(y.part) END,
		CASE d.done WHEN 'dropped' THEN undecided_of(x) END
	FROM partitioned_tables x CROSS JOIN LATERAL partitions_of(x.relation) y
	LEFT JOIN LATERAL (SELECT * FROM partition_conditions(x, y.part)
		WHERE NOT ok LIMIT 1) c ON true
	CROSS JOIN LATERAL (SELECT CASE WHEN c.condition IS NULL THEN 'dropped'
		WHEN c.condition = 'closed' THEN 'closed' ELSE 'kept' END AS done) d
	WHERE y.upper <= now() - x.keep ORDER BY x.table_name, y.upper $$;

-- Closes what is kept no longer, and drops what was closed by an earlier call
-- and is delivered since; the rest of it stays and why is said. For a timer. A
-- table that has lost a partition is locked until the transaction ends: hence all
-- is looked through before, and nobody is waited for after.
CREATE OR REPLACE FUNCTION drop_due_partitions(actor text, reason text,
	dry_run boolean DEFAULT false, wait_ms int4 DEFAULT 10000)
	RETURNS TABLE (partition text, done text, why text, mend text)
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
	SET timezone = 'UTC' AS $$
DECLARE
	p     record;
	free  boolean;
	waits boolean := true;
BEGIN
	PERFORM insist_who_and_why('drop_due_partitions', actor, reason);
	-- sorted: all is there before the first is dropped
	FOR p IN SELECT * FROM due_partitions(CASE WHEN NOT dry_run THEN
		greatest(wait_ms, 1) END) d ORDER BY d.done DESC LOOP
		partition := p.part;
		done := p.done;
		why := p.why;
		mend := p.mend;
		free := p.held;
		IF dry_run AND done <> 'kept' THEN
			done := 'would be ' || done;
		ELSIF free AND done = 'closed' THEN
			free := close_when_free(p.part, actor, reason, waits);
		ELSIF free AND done = 'dropped' THEN
			free := drop_when_free(p.of_table, p.part, p.rows, p.undecided,
				actor, reason, wait_ms, waits);
		END IF;
		IF NOT free THEN
			done := 'kept';
			why := 'it, or its table, was in use';
			mend := 'run it again';
		END IF;
		waits := waits AND done NOT IN ('dropped', 'closed');
		RETURN NEXT;
	END LOOP;
END $$;

-- Every partition, whether it could go, and why not.
CREATE OR REPLACE FUNCTION partition_status()
	RETURNS TABLE (table_name text, partition text, lower timestamptz,
		upper timestamptz, bytes int8, may_go boolean, why_not text, mend text)
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
	SELECT t.table_name, p.part::text, p.lower, p.upper,
		pg_total_relation_size(p.part), w.condition IS NULL,
		w.condition || ' is ' || w.value || ', needed is ' || w.needed, w.mend
	FROM partitioned_tables t, LATERAL partitions_of(t.relation) p
	LEFT JOIN LATERAL (SELECT * FROM partition_conditions(t, p.part)
		WHERE NOT ok LIMIT 1) w ON true
	ORDER BY t.table_name, p.upper $$;

-- How long a table's partitions stay after their end. Returns what it was.
CREATE OR REPLACE FUNCTION set_partition_keep(of_table text, new_keep interval,
	actor text, reason text, dry_run boolean DEFAULT false) RETURNS interval
	LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	old interval;
BEGIN
	PERFORM insist_who_and_why('set_partition_keep', actor, reason);
	SELECT keep INTO old FROM partitioned_tables t
		WHERE t.table_name = of_table FOR UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION '% is not one of partitioned_tables', of_table
			USING ERRCODE = 'invalid_parameter_value', HINT =
			'name it as outbox_table does: <schema>.<table>';
	END IF;
	IF NOT dry_run THEN
		UPDATE partitioned_tables t SET keep = new_keep
			WHERE t.table_name = of_table;
		INSERT INTO audit_events (actor, action, subject, reason, before,
			after)
		VALUES (actor, 'partition.keep', of_table, reason,
			to_jsonb(old), to_jsonb(new_keep));
	END IF;
	RETURN old;
END $$;

REVOKE ALL ON FUNCTION tell_partitions, partitions_of, make_partition,
	ensure_partitions, partitions_missing, undecided_of, delivery_conditions, partition_conditions,
	hold_partition, lock_briefly, close_when_free, drop_partition,
	drop_when_free, rows_in, due_partitions, drop_due_partitions,
	partition_status, set_partition_keep FROM PUBLIC;
-- of an install that was made before
DROP FUNCTION IF EXISTS undecided_in(partitioned_tables, regclass),
	close_partition(partitioned_tables, regclass, text, text),
	close_when_free(partitioned_tables, regclass, text, text),
	drop_partition(partitioned_tables, regclass, text, text),
	drop_when_free(partitioned_tables, regclass, text, text, int4);
GRANT EXECUTE ON FUNCTION ensure_partitions, partitions_missing,
	drop_due_partitions, partition_status TO :"role";
GRANT SELECT ON partitioned_tables, closed_partitions TO :"role";

-- What stands against a change of the table in place; NULL: nothing.
CREATE FUNCTION pg_temp.obstacle(t regclass, time_column text,
	publication text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT CASE
		WHEN c.relkind <> 'r' THEN 'it is no plain table'
		WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t
			AND a.attname = time_column AND NOT (a.attnotnull
			AND a.atttypid = 'timestamptz'::regtype)) THEN format(
			'column %I is not timestamptz NOT NULL', time_column)
		WHEN EXISTS (SELECT FROM pg_constraint k WHERE k.contype IN ('f', 'x')
			AND t IN (k.conrelid, k.confrelid))
			THEN 'foreign keys or exclusion constraints are of it'
		WHEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t
			AND i.indisunique AND NOT i.indisprimary)
			THEN 'it has a unique index beside its primary key'
		WHEN EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = t
			AND NOT g.tgisinternal) THEN 'it has triggers'
		WHEN EXISTS (SELECT FROM pg_depend d WHERE d.refobjid = t
			AND d.refclassid = 'pg_class'::regclass
			AND d.classid = 'pg_rewrite'::regclass)
			THEN 'views or rules are of it'
		WHEN EXISTS (SELECT FROM pg_inherits i
			WHERE t IN (i.inhrelid, i.inhparent)) THEN 'it inherits'
		WHEN c.relrowsecurity THEN 'it has row-level security'
		WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t
			AND a.attacl IS NOT NULL) THEN 'rights are given on its columns'
		WHEN EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p
			ON p.oid = r.prpubid WHERE r.prrelid = t
			AND p.pubname <> publication)
			THEN 'another publication has it'
		END
	FROM pg_class c WHERE c.oid = t $$;

-- Its primary key with the time, its other indexes, its numbers and rights.
CREATE FUNCTION pg_temp.furnish(old regclass, made regclass, key text,
	indexes text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN
		SELECT format('ALTER TABLE %s ADD PRIMARY KEY (%s)', made, key)
		WHERE key IS NOT NULL
		UNION ALL SELECT format('CREATE INDEX ON %s%s', made, substr(i,
			strpos(i, ' USING '))) FROM unnest(indexes) i
		UNION ALL SELECT format('ALTER SEQUENCE %s OWNED BY %s.%I',
			d.objid::regclass, made, a.attname)
		FROM pg_depend d JOIN pg_class s ON s.oid = d.objid
			AND s.relkind = 'S' JOIN pg_attribute a
			ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
		WHERE d.refobjid = old AND d.deptype = 'a'
		UNION ALL SELECT format('GRANT %s ON %s TO %s%s', x.privilege_type,
			made, CASE x.grantee WHEN 0 THEN 'PUBLIC'
				ELSE quote_ident(pg_get_userbyid(x.grantee)) END,
			CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
		FROM pg_class c, aclexplode(c.relacl) x WHERE c.oid = old LOOP
		EXECUTE line;
	END LOOP;
	FOR line IN SELECT attname FROM pg_attribute WHERE attrelid = old
		AND attidentity <> '' LOOP
		PERFORM setval(pg_get_serial_sequence(made::text, line), nextval(
			pg_get_serial_sequence(old::text, line)));
		EXECUTE format('ALTER TABLE %s ALTER %I DROP IDENTITY', old, line);
	END LOOP;
END $$;

-- The table becomes the first partition of one that has its name.
CREATE FUNCTION pg_temp.partition_in_place(t regclass, time_column text,
	publication text, step interval) RETURNS regclass
	LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
	name    text;
	owner   text;
	rest    text;
	made    regclass;
	why     text;
	key     text;
	keyname text;
	indexes text[];
BEGIN
	EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', t);
	why := pg_temp.obstacle(t, time_column, publication);
	IF why IS NOT NULL THEN
		RAISE EXCEPTION '% cannot be partitioned in place: %', t, why
			USING ERRCODE = 'feature_not_supported', HINT = 'take that away, '
			'or make the table PARTITION BY RANGE of a column timestamptz '
			'NOT NULL yourself, and run this again';
	END IF;
	EXECUTE format('ALTER TABLE %s ADD COLUMN IF NOT EXISTS %I timestamptz '
		'NOT NULL DEFAULT now()', t, time_column);
	SELECT array_agg(pg_get_indexdef(i.indexrelid)) INTO indexes
		FROM pg_index i WHERE i.indrelid = t AND NOT i.indisprimary;
	SELECT k.conname, string_agg(quote_ident(a.attname), ', ' ORDER BY
			array_position(k.conkey, a.attnum)) || CASE WHEN bool_or(
			a.attname = time_column) THEN '' ELSE ', ' ||
			quote_ident(time_column) END INTO keyname, key
		FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = t
		AND a.attnum = ANY (k.conkey) WHERE k.conrelid = t
		AND k.contype = 'p' GROUP BY k.conname, k.conkey;
	IF key IS NOT NULL THEN
		EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', t, keyname);
	END IF;
	SELECT c.relname, pg_get_userbyid(c.relowner) INTO name, owner
		FROM pg_class c WHERE c.oid = t;
	EXECUTE format('ALTER TABLE %s RENAME TO %I', t, name || '_before');
	SELECT format('%I.%I', n.nspname, name) INTO name FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = t;
	EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING '
		'CONSTRAINTS INCLUDING GENERATED INCLUDING IDENTITY INCLUDING STORAGE '
		'INCLUDING COMMENTS) PARTITION BY RANGE (%I)', name, t, time_column);
	made := name;
	EXECUTE format('ALTER TABLE %s OWNER TO %I', made, owner);
	PERFORM pg_temp.furnish(t, made, key, indexes);
	EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM '
		'(MINVALUE) TO (%L)', made, t, date_bin(step, now(),
		'2000-01-01 00:00+00') + step);
	-- no row is ever refused for want of a partition
	rest := replace(t::text, '_before', '_rest');
	EXECUTE format('CREATE TABLE %s PARTITION OF %s DEFAULT', rest, made);
	EXECUTE format('ALTER TABLE %s OWNER TO %I', rest, owner);
	IF EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p
		ON p.oid = r.prpubid WHERE r.prrelid = t AND p.pubname = publication)
		THEN
		EXECUTE format('ALTER PUBLICATION %I SET TABLE %s', publication, (
			SELECT string_agg(CASE r.prrelid WHEN t THEN made
				ELSE r.prrelid::regclass END::text, ', ')
			FROM pg_publication_rel r JOIN pg_publication p
			ON p.oid = r.prpubid WHERE p.pubname = publication));
		EXECUTE format('ALTER PUBLICATION %I SET '
			'(publish_via_partition_root)', publication);
	END IF;
	RETURN made;
END $$;

-- Notes the table, partitioned here or by its owner, and makes what is ahead.
CREATE FUNCTION pg_temp.partition_table(of_table regclass, time_column text,
	id_column text, publication text, step interval, ahead interval,
	keep interval, poll boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	made regclass := of_table;
	own  text;
BEGIN
	IF poll THEN
		RAISE EXCEPTION 'poll and partitions are both set'
			USING HINT = 'a polled table is emptied by the relay: leave '
			'partitions away';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = of_table
		AND attname = id_column AND NOT attisdropped) THEN
		RAISE EXCEPTION '% has no column %', of_table, id_column
			USING HINT = 'set outbox_id as the relay has it';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_partitioned_table
		WHERE partrelid = of_table) THEN
		made := pg_temp.partition_in_place(of_table, time_column, publication,
			step);
	END IF;
	SELECT a.attname INTO own FROM pg_partitioned_table p JOIN pg_attribute a
		ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
		WHERE p.partrelid = made AND p.partstrat = 'r' AND p.partnatts = 1
		AND a.atttypid = 'timestamptz'::regtype;
	IF own IS NULL THEN
		RAISE EXCEPTION '% is not partitioned by range of one column '
			'timestamptz', of_table;
	END IF;
	INSERT INTO partitioned_tables
	SELECT n.nspname || '.' || c.relname, c.oid, own, id_column, step, ahead,
		keep
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.oid = made ON CONFLICT DO NOTHING;
	PERFORM ensure_partitions();
END $$;
SELECT pg_temp.partition_table(:'table', :'partition_by', :'outbox_id',
	:'publication', :'partition_step', :'partition_ahead', :'partition_keep',
	:poll) \g /dev/null
\endif

INSERT INTO outbox_tables
SELECT n.nspname || '.' || c.relname, a.attname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = :'outbox_id'
	AND a.attnotnull AND NOT a.attisdropped
WHERE c.oid = :'table'::regclass
ON CONFLICT (table_name) DO UPDATE SET id_column = excluded.id_column;

-- The application's table: read at the first start and after a lost slot; by
-- polling it is read, and what is delivered deleted.
SET LOCAL search_path = pg_catalog;
SELECT format('GRANT USAGE ON SCHEMA %I TO %I', n.nspname, :'role'),
	format('GRANT %s ON %I.%I TO %I', CASE WHEN :'poll'::boolean
		THEN 'SELECT, DELETE' ELSE 'SELECT' END,
		n.nspname, c.relname, :'role')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = :'table'::regclass \gexec

-- Updates are published so that they can be told (outbox_on_update), but not of
-- a table without a primary key: PostgreSQL would refuse them to the
-- application then. Deletes are not: rows that are deleted at once cost nothing.
SELECT format('CREATE PUBLICATION %I FOR TABLE %I.%I WITH (publish = %L, '
	'publish_via_partition_root)', :'publication', n.nspname, c.relname,
	CASE WHEN EXISTS (SELECT FROM pg_index i
		WHERE i.indrelid = c.oid AND i.indisprimary)
		THEN 'insert, update' ELSE 'insert' END)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = :'table'::regclass AND NOT :'poll'::boolean
AND NOT EXISTS (SELECT FROM pg_publication WHERE pubname = :'publication')
\gexec

-- What keeps the relay from reading the WAL, and is not for this file to change.
\if :poll \else
SELECT pg_temp.warn(current_setting('wal_level') <> 'logical',
	'wal_level is ' || current_setting('wal_level'),
	'ALTER SYSTEM SET wal_level = logical, and restart PostgreSQL; '
	'or poll: docs/alone.md') \g /dev/null
SELECT pg_temp.warn(NOT rolsuper AND NOT rolreplication AND NOT EXISTS (
		SELECT FROM pg_roles m WHERE m.rolname = 'rds_replication'
		AND pg_has_role(r.oid, m.oid, 'MEMBER')),
	format('role %I has no REPLICATION', rolname),
	format('as a superuser: ALTER ROLE %I REPLICATION (at Amazon RDS: '
		'GRANT rds_replication TO %I)', rolname, rolname))
FROM pg_roles r WHERE rolname = :'role' \g /dev/null
SELECT pg_temp.warn(NOT EXISTS (SELECT FROM pg_publication_tables p
		WHERE p.pubname = :'publication' AND p.schemaname = n.nspname
		AND p.tablename = c.relname),
	format('publication %I is there and does not publish %s', :'publication',
		c.oid::regclass),
	'run this again with -v publication=<another name>, which relay.conf '
	'names too; or ALTER PUBLICATION ... ADD TABLE')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = :'table'::regclass \g /dev/null
\endif

COMMIT;
\echo installed: schema :schema, role :role, operators :operator
\echo 'next: \\password' :role, if it has none, then relay.conf, see docs/alone.md
\set QUIET :was_quiet
