-- Deploy countinghouse:pauses to pg
-- Pause is a row behind one lock, that of a table without rows: every batch
-- holds it in ROW EXCLUSIVE mode while it decides and commits, pause() takes it
-- in EXCLUSIVE mode. So when pause() has returned, no request of its scope posts
-- any more. It works from psql alone. An advisory lock would be anybody's to
-- hold; this one is had by whoever may write the table, and only until the end
-- of a transaction.

BEGIN;
SET LOCAL search_path = ch;

CREATE TABLE pauses (
	scope          text PRIMARY KEY, -- 'trading': everybody; else an organisation
	types          text[] NOT NULL,  -- command types that are refused
	reason         text NOT NULL CHECK (reason <> ''),
	actor          text NOT NULL CHECK (actor <> ''),
	number         int8 NOT NULL,
	paused_at      timestamptz NOT NULL,
	cooldown_until timestamptz NOT NULL
);
GRANT SELECT ON pauses TO ch_writer, ch_reconciler, ch_relay, ch_operator,
	ch_cache, ch_reader;

-- The lock of all scopes. INSERT is what LOCK TABLE ... IN ROW EXCLUSIVE MODE
-- asks for, and lets nobody have a stronger one.
CREATE TABLE pause_lock (nothing boolean CHECK (false));
GRANT INSERT ON pause_lock TO ch_writer;

-- Who holds it, but for this session: since when, and so that a person knows
-- them. pid NULL: a prepared transaction. since NULL: of a role whose sessions
-- the schema's owner may not see (pg_read_all_stats).
CREATE FUNCTION pause_lock_holders()
	RETURNS TABLE (pid int4, since timestamptz, holder text)
	LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = ch, pg_temp AS $$
	SELECT l.pid, a.xact_start, CASE WHEN l.pid IS NULL
		THEN 'a prepared transaction (pg_prepared_xacts)'
		ELSE concat_ws(' ', 'pid', l.pid, a.usename, a.application_name,
			'since ' || a.xact_start) END
	FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
	WHERE l.relation = 'ch.pause_lock'::regclass AND l.granted
	AND l.database = (SELECT oid FROM pg_database
		WHERE datname = current_database())
	AND l.mode <> 'AccessShareLock'
	AND l.pid IS DISTINCT FROM pg_backend_pid()
	$$;

-- Ends a backend, and says so: in the server's log too, which keeps it when the
-- transaction that asked for it fails. False: the owner may not end it.
CREATE FUNCTION end_backend(of_pid int4, who text, why text, was jsonb)
	RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = ch, pg_temp AS $$
BEGIN
	PERFORM pg_terminate_backend(of_pid, 2000);
	RAISE LOG 'backend % was ended for %: %', of_pid, who, why
		USING DETAIL = was::text;
	INSERT INTO ch.audit_events (actor, action, subject, reason, before)
	VALUES (who, 'terminate_backend', of_pid::text, why, was);
	RETURN true;
EXCEPTION WHEN insufficient_privilege THEN
	RETURN false;
END $$;
REVOKE ALL ON FUNCTION pause_lock_holders, end_backend FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pause_lock_holders TO ch_operator;

CREATE FUNCTION pause_default_types() RETURNS text[] LANGUAGE sql IMMUTABLE
	AS $$ SELECT ARRAY['transfer.post', 'transfer.reverse', 'hold.place',
		'stock.reserve', 'order.place', 'trade.record', 'pool.deploy'] $$;

-- Takes the pause lock exclusive, within wait_ms. Later requests of batches
-- queue behind it, so it is not starved; whoever holds it in a transaction older
-- than 2 s (a stopped writer) is terminated, and that is recorded. Until this
-- transaction has ended no batch decides: it may not stand idle.
CREATE FUNCTION take_pause_lock(who text, wait_ms int4) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
DECLARE
	began  timestamptz := clock_timestamp();
	waited int4;
BEGIN
	LOOP
		BEGIN
			PERFORM set_config('lock_timeout', '500ms', true);
			LOCK TABLE ch.pause_lock IN EXCLUSIVE MODE;
			PERFORM set_config('idle_in_transaction_session_timeout', '5s',
				true);
			RETURN;
		EXCEPTION WHEN lock_not_available THEN
			NULL;
		END;
		waited := 1000 * extract(epoch FROM clock_timestamp() - began);
		IF waited >= wait_ms THEN
			RAISE EXCEPTION 'the pause lock was not free within % ms: held by '
				'%', wait_ms, (SELECT coalesce(string_agg(h.holder, '; '),
				'nobody any more') FROM ch.pause_lock_holders() h)
				USING ERRCODE = 'lock_not_available', HINT =
				'let a superuser end that session (pg_terminate_backend), '
				'or pass a longer wait_ms';
		END IF;
		CONTINUE WHEN waited < 2000;
		-- pg_stat_activity is kept for a transaction: look afresh
		PERFORM pg_stat_clear_snapshot();
		PERFORM ch.end_backend(h.pid, who,
			'it held the pause lock in a transaction older than 2 s',
			to_jsonb(h))
		FROM ch.pause_lock_holders() h
		WHERE h.since < clock_timestamp() - interval '2 s';
	END LOOP;
END $$;
REVOKE ALL ON FUNCTION take_pause_lock FROM PUBLIC;

-- An outbox row on fleet.control: an announcement; the row above is the truth.
CREATE FUNCTION announce_control(scope text, body jsonb, number int8)
	RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = ch, pg_temp
	AS $$
	-- a pause must work when no daemon has made partitions for days
	SELECT ch.ensure_partition('outbox', (now() AT TIME ZONE 'UTC')::date);
	INSERT INTO ch.outbox (seq, id, aggregatetype, aggregateid, type,
		payload, created_at)
	VALUES (number * 1048576, gen_random_uuid(), 'fleet.control', scope,
		body->>'action', body::text, clock_timestamp())
	$$;
REVOKE ALL ON FUNCTION announce_control FROM PUBLIC;

-- The types of commands, as ledger-writer knows them, and which are facts:
-- those happened already, so neither a pause nor a rate rule refuses them.
CREATE FUNCTION command_types() RETURNS TABLE (type text, fact boolean)
	LANGUAGE sql IMMUTABLE ROWS 23 AS $$
	VALUES ('account.close', false), ('account.limit', false),
		('account.open', false), ('asset.define', false), ('group', false),
		('hold.capture', true), ('hold.place', false), ('hold.void', true),
		('market.settle', false), ('order.accept', true),
		('order.cancel', false), ('order.fill', true), ('order.lost', true),
		('order.place', false), ('pool.deploy', false),
		('reservation.commit', true), ('reservation.release', true),
		('stock.adjust', true), ('stock.receive', true),
		('stock.reserve', false), ('trade.record', false),
		('transfer.post', false), ('transfer.reverse', false)
	$$;
GRANT EXECUTE ON FUNCTION command_types TO ch_operator, ch_reconciler;

-- Raises unless types names known types and at least one that can be refused.
CREATE FUNCTION insist_types(what text, types text[]) RETURNS void
	LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	odd text;
BEGIN
	SELECT coalesce(u.t, 'NULL') INTO odd FROM unnest(types) AS u (t)
		WHERE NOT EXISTS (SELECT FROM ch.command_types() k
			WHERE k.type = u.t) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION '%(): there is no type of command %', what, odd
			USING ERRCODE = 'invalid_parameter_value', HINT = 'there are ' ||
			(SELECT string_agg(k.type, ', ') FROM ch.command_types() k);
	END IF;
	IF NOT EXISTS (SELECT FROM ch.command_types() k
		WHERE k.type = ANY (types) AND NOT k.fact) THEN
		RAISE EXCEPTION '%(): the types % name nothing that can be refused',
			what, types USING ERRCODE = 'invalid_parameter_value',
			HINT = 'facts never are; there are ' || (SELECT
			string_agg(k.type, ', ') FROM ch.command_types() k
			WHERE NOT k.fact);
	END IF;
END $$;

-- Raises unless a pause of that scope has somebody whom it stops.
CREATE FUNCTION insist_scope(scope text) RETURNS void
	LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF scope <> 'trading' AND NOT EXISTS (SELECT FROM ch.orgs o
		WHERE o.name = scope) THEN
		RAISE EXCEPTION 'there is no organisation %', scope
			USING ERRCODE = 'no_data_found', HINT = 'the scope is trading '
			'(everybody) or a name in ch.orgs; to pause one that has not sent '
			'its first command yet: unknown_org => true';
	END IF;
END $$;

-- Refuses requests of a scope from now on. Returns the pause's number. Asking
-- again replaces types, reason and cooldown. NULL types: the default ones.
-- unknown_org: the scope may be an organisation that has sent nothing yet.
-- dry_run: refuses what it would refuse, changes nothing, returns NULL.
CREATE FUNCTION pause(scope text, types text[], reason text, actor text,
	cooldown interval DEFAULT '60 s', wait_ms int4 DEFAULT 10000,
	dry_run boolean DEFAULT false, unknown_org boolean DEFAULT false)
	RETURNS int8 LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = ch, pg_temp AS $$
DECLARE
	drawn int8;
	old   jsonb;
	fresh ch.pauses;
BEGIN
	IF coalesce(scope, '') = '' OR coalesce(reason, '') = ''
		OR coalesce(actor, '') = '' THEN
		RAISE EXCEPTION 'pause() needs a scope, a reason and an actor'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	types := coalesce(types, ch.pause_default_types());
	PERFORM ch.insist_types('pause', types);
	IF NOT unknown_org THEN
		PERFORM ch.insist_scope(scope);
	END IF;
	IF dry_run THEN
		RETURN NULL;
	END IF;
	PERFORM ch.take_pause_lock(actor, wait_ms);
	drawn := nextval('ch.batch_seq');
	SELECT to_jsonb(p) INTO old FROM ch.pauses p WHERE p.scope = pause.scope;
	INSERT INTO ch.pauses AS p VALUES (pause.scope,
		pause.types, pause.reason, pause.actor, drawn, clock_timestamp(),
		clock_timestamp() + cooldown)
	ON CONFLICT ON CONSTRAINT pauses_pkey DO UPDATE SET types = excluded.types,
		reason = excluded.reason, actor = excluded.actor,
		number = excluded.number, cooldown_until = excluded.cooldown_until
	RETURNING p.* INTO fresh;
	INSERT INTO ch.audit_events (actor, action, subject, reason, before, after)
	VALUES (actor, 'pause', scope, reason, old, to_jsonb(fresh));
	PERFORM ch.announce_control(scope, jsonb_build_object('action', 'pause',
		'scope', scope, 'types', to_jsonb(fresh.types), 'reason', reason,
		'actor', actor, 'number', drawn, 'at', fresh.paused_at), drawn);
	RETURN drawn;
END $$;

-- Lets requests of a scope in again. The cooldown must have passed, or
-- override says why it need not. dry_run: as of pause().
CREATE FUNCTION resume(scope text, reason text, actor text,
	override text DEFAULT NULL, wait_ms int4 DEFAULT 10000,
	dry_run boolean DEFAULT false)
	RETURNS int8 LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = ch, pg_temp AS $$
DECLARE
	drawn int8;
	old   ch.pauses;
BEGIN
	PERFORM ch.insist_who_and_why('resume', actor, reason);
	IF NOT dry_run THEN
		PERFORM ch.take_pause_lock(actor, wait_ms);
	END IF;
	SELECT * INTO old FROM ch.pauses p WHERE p.scope = resume.scope;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'scope % is not paused', scope
			USING ERRCODE = 'no_data_found';
	END IF;
	IF old.cooldown_until > clock_timestamp() AND coalesce(override, '') = '' THEN
		RAISE EXCEPTION 'scope % cools down until %', scope, old.cooldown_until
			USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'wait, or pass override => ''why it need not wait''';
	END IF;
	IF dry_run THEN
		RETURN NULL;
	END IF;
	drawn := nextval('ch.batch_seq');
	DELETE FROM ch.pauses p WHERE p.scope = resume.scope;
	INSERT INTO ch.audit_events (actor, action, subject, reason, before, after)
	VALUES (actor, 'resume', scope, reason, to_jsonb(old),
		jsonb_build_object('number', drawn, 'override', override));
	PERFORM ch.announce_control(scope, jsonb_build_object('action', 'resume',
		'scope', scope, 'reason', reason, 'actor', actor, 'number', drawn,
		'at', clock_timestamp()), drawn);
	RETURN drawn;
END $$;

-- For a daemon: refuses the default types besides what is refused already, and
-- no shorter. So it takes nothing back of what an operator has paused. The scope
-- may be an organisation that is not there: a break names it.
CREATE FUNCTION pause_more(scope text, reason text, actor text) RETURNS int8
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
DECLARE
	old ch.pauses;
BEGIN
	PERFORM ch.take_pause_lock(actor, 10000);
	SELECT * INTO old FROM ch.pauses p WHERE p.scope = pause_more.scope;
	RETURN ch.pause(scope, (SELECT array_agg(u.t ORDER BY u.t) FROM (
			SELECT unnest(old.types) AS t
			UNION SELECT unnest(ch.pause_default_types())) u),
		reason, actor, greatest('60 s', old.cooldown_until -
			clock_timestamp()), unknown_org => true);
END $$;
REVOKE ALL ON FUNCTION pause, resume, pause_more, insist_types, insist_scope
	FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pause, resume TO ch_operator;
GRANT EXECUTE ON FUNCTION pause_more TO ch_reconciler;

COMMIT;
