-- Deploy countinghouse:core to pg
-- Organisations, operators' audit trail, and the days that are kept.
-- Roles are cluster objects: whoever sets the cluster up makes them with a
-- login each (deploy/local/postgres.sh). One that is missing is made here
-- without a login, so that the grants, table by table, have a name to go to.

BEGIN;

DO $$
DECLARE
	r text;
BEGIN
	FOREACH r IN ARRAY ARRAY['ch_writer', 'ch_relay', 'ch_reconciler',
		'ch_cache', 'ch_reader', 'ch_operator'] LOOP
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
			EXECUTE format('CREATE ROLE %I NOLOGIN', r);
		END IF;
	END LOOP;
	-- pause() must see when a writer's transaction began, and end it: both
	-- need membership. Whoever made the role may grant it.
	IF NOT pg_has_role(current_user, 'ch_writer', 'member') THEN
		GRANT ch_writer TO CURRENT_USER;
	END IF;
EXCEPTION WHEN insufficient_privilege THEN
	RAISE EXCEPTION '% may not make the roles ch_* or join ch_writer: %',
		current_user, SQLERRM USING HINT = 'let a superuser run: '
		'ALTER ROLE ' || quote_ident(current_user) || ' CREATEROLE';
END $$;

CREATE SCHEMA ch;
REVOKE ALL ON SCHEMA ch FROM PUBLIC;
GRANT USAGE ON SCHEMA ch
	TO ch_writer, ch_relay, ch_reconciler, ch_cache, ch_reader, ch_operator;
SET LOCAL search_path = ch;

-- A command names its organisation; the number stands first in every key.
CREATE TABLE orgs (
	org_id int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name   text NOT NULL UNIQUE CHECK (octet_length(name) BETWEEN 1 AND 64)
);
GRANT SELECT ON orgs TO ch_writer, ch_relay, ch_reconciler, ch_reader, ch_operator;
GRANT INSERT (name) ON orgs TO ch_writer;

-- One number orders all decisions: each batch draws one after it has locked
-- its rows, each administrative change after it holds its lock.
CREATE SEQUENCE batch_seq AS int8 CACHE 1;
GRANT USAGE ON SEQUENCE batch_seq TO ch_writer, ch_reconciler;

-- What operators and daemons did on their behalf. Append-only for everybody.
CREATE TABLE audit_events (
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
CREATE INDEX audit_events_subject ON audit_events (subject, event_id);
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION '% on % is not allowed: the table is append-only',
		TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_events_append_only
	BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
	FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT ON audit_events TO ch_relay, ch_reconciler, ch_operator;

-- The days that a partitioned table keeps. lowest_day never goes back: an id
-- of an earlier day is key_expired, its partition is never made again.
CREATE TABLE retention (
	table_name text PRIMARY KEY,
	keep_days  int4 NOT NULL CHECK (keep_days > 0),
	lowest_day date NOT NULL
);
GRANT SELECT ON retention TO ch_writer, ch_relay, ch_reconciler, ch_operator;

-- What changes something says who did it, and why.
CREATE FUNCTION insist_who_and_why(what text, actor text, reason text)
	RETURNS void LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF coalesce(reason, '') = '' OR coalesce(actor, '') = '' THEN
		RAISE EXCEPTION '%() needs a reason and an actor', what
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
END $$;
REVOKE ALL ON FUNCTION insist_who_and_why FROM PUBLIC;

CREATE FUNCTION partition_name(parent text, day date) RETURNS text
	LANGUAGE sql IMMUTABLE
	AS $$ SELECT parent || '_' || to_char(day, 'YYYYMMDD') $$;

-- Is the day's partition there? A table of its name that is not attached, or is
-- being detached, takes no row.
CREATE FUNCTION has_partition(parent text, day date) RETURNS boolean
	LANGUAGE sql STABLE SET search_path = ch, pg_temp AS $$
	SELECT EXISTS (SELECT FROM pg_inherits
		WHERE inhparent = to_regclass('ch.' || quote_ident(parent))
		AND inhrelid = to_regclass('ch.' || quote_ident(
			ch.partition_name(parent, day))) AND NOT inhdetachpending)
	$$;

-- Tables with partitions that some session may not know, and since when.
--
-- PostgreSQL (15.18) may leave a session that opens a partitioned table just
-- while a partition is attached without that partition, until the session hears
-- of the table again: it reads past the rows and refuses new ones. So every table
-- is told of a second time, a moment later (tests/integration/schema/
-- test_partitions_told.py shows both).
CREATE TABLE untold_partitions (
	parent  regclass PRIMARY KEY,
	made_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Tells all sessions of them: any change of the table's definition does. Who
-- analyses a table meanwhile has it told the next time.
CREATE FUNCTION tell_partitions() RETURNS void
	LANGUAGE plpgsql SET search_path = ch, pg_temp SET lock_timeout = '2s' AS $$
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
REVOKE ALL ON FUNCTION tell_partitions FROM PUBLIC;

-- Makes the partition of one day if it is missing: as a table of its own that
-- is then attached, since CREATE ... PARTITION OF waits for every reader and
-- queues the writers behind it. Returns true when it made one. Refuses days
-- under lowest_day and days further ahead than tomorrow's tomorrow.
CREATE FUNCTION ensure_partition(parent text, day date) RETURNS boolean
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = ch, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
	child text := ch.partition_name(parent, day);
	kept  ch.retention;
	zone  text;
BEGIN
	SELECT * INTO kept FROM ch.retention WHERE table_name = parent;
	IF NOT FOUND THEN
		RAISE EXCEPTION '% has no partitions', parent
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF day < kept.lowest_day OR day > (now() AT TIME ZONE 'UTC')::date + 2 THEN
		RAISE EXCEPTION 'day % of % is outside of % to tomorrow''s tomorrow',
			day, parent, kept.lowest_day
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF ch.has_partition(parent, day) THEN
		RETURN false;
	END IF;
	-- two writers at midnight: one makes it, the other finds it
	EXECUTE format('LOCK TABLE ONLY ch.%I IN SHARE UPDATE EXCLUSIVE '
		'MODE', parent);
	IF ch.has_partition(parent, day) THEN
		RETURN false;
	END IF;
	IF to_regclass('ch.' || quote_ident(child)) IS NOT NULL THEN
		RAISE EXCEPTION 'ch.% is there and no partition of %', child, parent
			USING ERRCODE = 'duplicate_table', HINT = 'attach it again, '
				'when its rows belong there, or rename it';
	END IF;
	EXECUTE format('CREATE TABLE ch.%I (LIKE ch.%I INCLUDING DEFAULTS '
		'INCLUDING CONSTRAINTS INCLUDING STORAGE)', child, parent);
	SELECT CASE atttypid WHEN 'date'::regtype THEN '' ELSE ' 00:00:00+00' END
		INTO zone FROM pg_attribute, pg_partitioned_table
		WHERE partrelid = ('ch.' || quote_ident(parent))::regclass
		AND attrelid = partrelid AND attnum = partattrs[0];
	EXECUTE format('ALTER TABLE ch.%I ATTACH PARTITION ch.%I '
		'FOR VALUES FROM (%L) TO (%L)', parent, child,
		day::text || zone, (day + 1)::text || zone);
	INSERT INTO untold_partitions VALUES (('ch.' || quote_ident(parent))::regclass)
	ON CONFLICT ON CONSTRAINT untold_partitions_pkey
		DO UPDATE SET made_at = excluded.made_at;
	-- daemons make them each day; a person who does has found one missing
	IF pg_has_role(session_user, 'ch_operator', 'member') THEN
		INSERT INTO ch.audit_events (actor, action, subject, reason)
		VALUES (session_user, 'ensure_partition', child, 'it was missing');
	END IF;
	RETURN true;
END $$;
REVOKE ALL ON FUNCTION ensure_partition FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_partition TO ch_writer, ch_relay, ch_operator;

-- Yesterday, today and tomorrow of every partitioned table; what was made before
-- is told. Returns how many it made.
CREATE FUNCTION ensure_partitions() RETURNS int4
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
DECLARE
	today date := (now() AT TIME ZONE 'UTC')::date;
	made  int4 := 0;
	r     record;
BEGIN
	FOR r IN SELECT table_name, lowest_day, d FROM ch.retention,
		generate_series(today - 1, today + 1, interval '1 day') AS d
		WHERE d::date >= lowest_day ORDER BY table_name, d LOOP
		IF ch.ensure_partition(r.table_name, r.d::date) THEN
			made := made + 1;
		END IF;
	END LOOP;
	-- not beside making them: tables are locked in one order
	IF made = 0 THEN
		PERFORM tell_partitions();
	END IF;
	RETURN made;
END $$;
REVOKE ALL ON FUNCTION ensure_partitions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_partitions TO ch_writer, ch_relay, ch_operator;

COMMIT;
