-- SPDX-License-Identifier: Apache-2.0
--
-- outbox-relay alone, beside an application's own outbox table: what it keeps
-- of its own, without the ledger's schema. Run once, as a superuser (or as the
-- table's owner with CREATE on the database and CREATEROLE; then a superuser
-- must grant REPLICATION to the role):
--
--	psql -d app -v table=public.outbox -f install.sql
--
-- Variables: table (<schema>.<table>), schema (outbox_relay), role
-- (outbox_relay), operator (outbox_relay_operator: without login, people's own
-- roles are members), publication (outbox_relay), and poll, when set: for source =
-- poll. It may be run again; nothing of what is there is changed, and the
-- application's table is only published and read; with poll not published, but
-- read and deleted from, and the role needs no REPLICATION.
--
-- Uninstall: stop the relay, then
--	SELECT pg_drop_replication_slot('outbox_relay');
--	DROP PUBLICATION IF EXISTS outbox_relay; DROP SCHEMA outbox_relay CASCADE;
--	DROP OWNED BY outbox_relay, outbox_relay_operator; DROP ROLE outbox_relay, outbox_relay_operator;
--
-- One file on purpose, to be copied beside an application. Tables and functions
-- are those of schema/sql/deploy/relay.sql, plans.sql, foreign_letters.sql,
-- webhooks.sql and webhook_refusals.sql: a test compares columns, constraints and bodies.

\set ON_ERROR_STOP on
\if :{?schema} \else \set schema outbox_relay \endif
\if :{?role} \else \set role outbox_relay \endif
\if :{?operator} \else \set operator outbox_relay_operator \endif
\if :{?publication} \else \set publication outbox_relay \endif
\if :{?poll} \set poll true \else \set poll false \endif

BEGIN;

SELECT format('CREATE ROLE %I LOGIN %s', :'role',
	CASE WHEN :'poll'::boolean THEN '' ELSE 'REPLICATION' END)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec

CREATE SCHEMA IF NOT EXISTS :"schema";
SET LOCAL search_path = :"schema";

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
CREATE INDEX IF NOT EXISTS dead_letters_parked ON dead_letters (parked_at);
CREATE INDEX IF NOT EXISTS dead_letters_row ON dead_letters (source, row_id);

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
	waits_since   timestamptz NOT NULL DEFAULT clock_timestamp(),
	UNIQUE (source, row_id, topic)
);
CREATE INDEX IF NOT EXISTS outbox_retry_blocker
	ON outbox_retry (blocked_by, retry_id);

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
CREATE INDEX IF NOT EXISTS letter_replays_plan
	ON letter_replays (plan_id) WHERE plan_id IS NOT NULL;

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

CREATE OR REPLACE VIEW letters AS
	SELECT l.letter_id, l.kind, l.topic, l.part, l.src_offset, l.row_id,
		l.row_order, l.record_key, l.value, l.header_names,
		l.header_values, l.error_class, l.reason, l.attempts, l.sqlstate,
		l.at, l.blocks_key,
		coalesce(s.held, s.state, 'pending') AS state,
		coalesce(s.replay_count, 0) AS replay_count,
		s.changed_at, s.actor, s.reason AS state_reason, l.original_id
	FROM (
		SELECT letter_id, 'delivery'::text AS kind, topic, part,
			NULL::int8 AS src_offset, row_id, NULL::int8 AS row_order,
			record_key, value, header_names, header_values,
			error_class, reason, attempts, NULL::text AS sqlstate,
			parked_at AS at, blocks_key, NULL::uuid AS original_id
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
	letter_id     uuid,
	UNIQUE (endpoint, event_id)
);
ALTER TABLE webhook_deliveries
	ADD COLUMN IF NOT EXISTS refused_at timestamptz,
	ADD COLUMN IF NOT EXISTS quota_since timestamptz;
CREATE INDEX IF NOT EXISTS webhook_deliveries_next ON webhook_deliveries
	(endpoint, key_digest, delivery_id) WHERE done_at IS NULL;
CREATE INDEX IF NOT EXISTS webhook_deliveries_pending ON webhook_deliveries
	(endpoint, delivery_id) WHERE done_at IS NULL;
CREATE INDEX IF NOT EXISTS webhook_deliveries_done ON webhook_deliveries (done_at)
	WHERE letter_id IS NULL;
CREATE INDEX IF NOT EXISTS webhook_deliveries_letter ON webhook_deliveries (letter_id)
	WHERE letter_id IS NOT NULL;

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
	FROM dead_letters d LEFT JOIN letter_states s USING (letter_id)
	WHERE d.blocks_key AND d.record_key IS NOT NULL
	AND d.topic NOT LIKE 'webhook:%'
	AND (coalesce(s.state, 'pending') = 'pending' OR EXISTS (
		SELECT FROM outbox_retry r WHERE r.blocked_by = d.letter_id))
	UNION ALL
	SELECT 'webhook:' || k.endpoint, d.record_key, k.blocked_by,
		k.blocked_at, (SELECT count(*) FROM webhook_deliveries w
			WHERE w.endpoint = k.endpoint
			AND w.key_digest = k.key_digest AND w.done_at IS NULL)
	FROM webhook_keys k JOIN dead_letters d ON d.letter_id = k.blocked_by
	WHERE k.blocked_by IS NOT NULL;

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

-- A letter is done when it is acknowledged, unless an import has found it in a
-- dead-letter topic since.
CREATE OR REPLACE FUNCTION replay_plan_returns(plan int8, OUT sent int8,
	OUT judged int8, OUT returned int8)
	LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
	SELECT count(*), count(*), count(DISTINCT r.letter_id) FILTER (WHERE EXISTS (
		SELECT FROM foreign_letters f WHERE f.came_back = r.letter_id))
	FROM letter_replays r WHERE r.plan_id = plan $$;

-- As in core.sql.
CREATE OR REPLACE FUNCTION insist_who_and_why(what text, actor text, reason text)
	RETURNS void LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF coalesce(reason, '') = '' OR coalesce(actor, '') = '' THEN
		RAISE EXCEPTION '%() needs a reason and an actor', what
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
END $$;

CREATE OR REPLACE FUNCTION approve_plan(plan int8, actor text, reason text,
	two_person text DEFAULT 'off') RETURNS text
	LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	p      replay_plans;
	rule   text;
BEGIN
	PERFORM insist_who_and_why('approve_plan', actor, reason);
	SELECT * INTO p FROM replay_plans q WHERE q.plan_id = plan FOR UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no plan %', plan
			USING ERRCODE = 'no_data_found', HINT = 'see dlq plans';
	END IF;
	IF p.state <> 'planned' THEN
		RAISE EXCEPTION 'plan % is %: only a planned one is approved',
			plan, p.state USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	rule := CASE WHEN 'role' IN (p.two_person, approve_plan.two_person)
		THEN 'role'
		WHEN 'actor' IN (p.two_person, approve_plan.two_person)
		THEN 'actor' ELSE 'off' END;
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
		approved_at = clock_timestamp(), changed_at = clock_timestamp()
		WHERE q.plan_id = plan;
	INSERT INTO audit_events (actor, action, subject, reason, before, after)
	VALUES (actor, 'dlq.approve', 'plan ' || plan, reason,
		jsonb_build_object('state', p.state),
		jsonb_build_object('state', 'approved', 'letters', p.letters,
			'selection', p.selection, 'planned_by', p.planned_by,
			'two_person', rule));
	RETURN rule;
END $$;
REVOKE ALL ON FUNCTION approve_plan FROM PUBLIC;
GRANT EXECUTE ON FUNCTION approve_plan TO :"role";

GRANT USAGE ON SCHEMA :"schema" TO :"role";
GRANT SELECT, INSERT, UPDATE ON relay_progress, letter_states TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox_retry TO :"role";
GRANT SELECT, INSERT ON dead_letters, letter_replays TO :"role";
GRANT SELECT, INSERT (actor, action, subject, reason, before, after)
	ON audit_events TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_deliveries, webhook_keys
	TO :"role";
GRANT SELECT ON letters, blocked_keys TO :"role";
GRANT SELECT, INSERT ON letter_edits, replay_plan_letters, foreign_letters
	TO :"role";
GRANT SELECT, INSERT, UPDATE (next_offset, newest, updated_at)
	ON foreign_cursors TO :"role";
GRANT UPDATE (outcome, detail) ON replay_plan_letters TO :"role";
GRANT SELECT, INSERT (selection, reason, planned_by, two_person, per_second,
	bytes_per_second, canary, canary_returns, replays_max),
	UPDATE (letters, next_place, canary_passed, state, state_reason,
		changed_at)
	ON replay_plans TO :"role";

-- Operators: letters and plans, as ch_operator of the ledger; neither the
-- application's table nor the relay's position.
SELECT format('CREATE ROLE %I NOLOGIN', :'operator')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'operator') \gexec
GRANT USAGE ON SCHEMA :"schema" TO :"operator";
GRANT SELECT ON ALL TABLES IN SCHEMA :"schema" TO :"operator";
GRANT INSERT, UPDATE ON letter_states TO :"operator";
GRANT INSERT ON letter_replays, letter_edits, replay_plan_letters,
	foreign_letters TO :"operator";
GRANT INSERT (actor, action, subject, reason, before, after)
	ON audit_events TO :"operator";
GRANT INSERT, UPDATE (next_offset, newest, updated_at)
	ON foreign_cursors TO :"operator";
GRANT UPDATE (outcome, detail) ON replay_plan_letters TO :"operator";
GRANT INSERT (selection, reason, planned_by, two_person, per_second,
	bytes_per_second, canary, canary_returns, replays_max),
	UPDATE (letters, next_place, canary_passed, state, state_reason,
		changed_at)
	ON replay_plans TO :"operator";
GRANT UPDATE ON webhook_deliveries TO :"operator";
GRANT INSERT, UPDATE ON webhook_keys TO :"operator";
-- Functions that were taken from everybody and given to the relay's role.
SELECT format('GRANT EXECUTE ON FUNCTION %s TO %I', p.oid::regprocedure,
	:'operator')
FROM pg_proc p WHERE p.pronamespace = :'schema'::regnamespace
AND p.proacl IS NOT NULL
AND has_function_privilege(:'role', p.oid, 'EXECUTE') \gexec

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

COMMIT;
