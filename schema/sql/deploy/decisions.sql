-- Deploy countinghouse:decisions to pg
-- Decisions about dead letters: functions that write the audit row with what
-- they change. Operators have no other way: of the tables they only read, so
-- that what was approved is what runs, and nothing is decided unseen.

BEGIN;
SET LOCAL search_path = ch;

-- What a plan does with its letters. approved_letters and approved_digest: of
-- what was approved; left_digest: of the letters from next_place on. rest: the
-- digest of the letters behind this one, so that each step can be checked
-- against the approval without the other letters. topic, part, bytes, at: where to,
-- how much and how old, so that a plan can be looked at without its letters.
ALTER TABLE replay_plans
	ADD COLUMN kind text NOT NULL DEFAULT 'replay'
		CHECK (kind IN ('replay', 'discard')),
	ADD COLUMN approved_letters int8,
	ADD COLUMN approved_digest bytea,
	ADD COLUMN left_digest bytea;
ALTER TABLE replay_plan_letters
	ADD COLUMN rest bytea,
	ADD COLUMN topic text,
	ADD COLUMN part int4,
	ADD COLUMN bytes int8,
	ADD COLUMN at timestamptz,
	DROP CONSTRAINT replay_plan_letters_outcome_check,
	ADD CONSTRAINT replay_plan_letters_outcome_check CHECK (outcome IN
		('sent', 'discarded', 'refused', 'quarantined', 'held'));

-- One row, changed by set_two_person().
CREATE TABLE plan_settings (
	one        boolean PRIMARY KEY DEFAULT true CHECK (one),
	two_person text NOT NULL DEFAULT 'off'
		CHECK (two_person IN ('off', 'actor', 'role'))
);
INSERT INTO plan_settings DEFAULT VALUES;

-- The digest of letters in their order, from the last to the first.
CREATE FUNCTION letters_digest_step(rest bytea, letter uuid) RETURNS bytea
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
	-- once a letter: in SQL it takes twice as long
	RETURN sha256(uuid_send(letter) || rest);
END $$;
CREATE AGGREGATE letters_digest (uuid) (
	sfunc = letters_digest_step, stype = bytea, initcond = '');

-- ---- letters ----

-- The letter stays locked until the transaction ends. Returns where it stands.
CREATE FUNCTION lock_letter(letter uuid, OUT state text, OUT replay_count int4)
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
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
CREATE FUNCTION claim_letter(letter uuid, actor text, reason text,
	OUT state text, OUT replay_count int4)
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
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
CREATE FUNCTION put_delivery_back(letter uuid, times int4) RETURNS int8
	LANGUAGE sql SET search_path = ch, pg_temp AS $$
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
CREATE FUNCTION letter_delivered(delivery int8) RETURNS void
	LANGUAGE sql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
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
CREATE FUNCTION letter_returned(delivery int8, times int4, became uuid)
	RETURNS void
	LANGUAGE sql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
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
CREATE FUNCTION stop_delivery(letter uuid) RETURNS void
	LANGUAGE sql SET search_path = ch, pg_temp AS $$
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
CREATE FUNCTION bury_deliveries(of_endpoint text, actor text, reason text,
	most int4) RETURNS int8
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
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
CREATE FUNCTION decide_letter(letter uuid, become text, actor text, reason text,
	times int4, sent_to text DEFAULT NULL, sent_part int4 DEFAULT NULL,
	sent_offset int8 DEFAULT NULL, org text DEFAULT NULL,
	command uuid DEFAULT NULL, command_day date DEFAULT NULL,
	plan int8 DEFAULT NULL) RETURNS boolean
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
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
CREATE FUNCTION edit_letter(original uuid, letter uuid, fresh bytea,
	difference jsonb, actor text, reason text) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
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
CREATE FUNCTION insist_import(of_topic text, actor text) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = ch, pg_temp AS $$
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
CREATE FUNCTION import_letter(id uuid, log uuid, of_topic text, of_part int4,
	at_offset int8, dialect text, origin text, origin_part int4,
	origin_offset int8, origin_time timestamptz, key_bytes bytea, bytes bytea,
	names bytea[], contents bytea[], class text, why text, tries int4,
	dead_at timestamptz, letter uuid, replays int4, actor text,
	OUT stored boolean, OUT known boolean, OUT returned boolean)
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
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
CREATE FUNCTION move_import(log uuid, of_part int4, of_cluster text,
	of_topic text, upto int8, newest_at timestamptz, may_go_back boolean,
	actor text) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
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
CREATE FUNCTION audit_letters(action text, subject text, actor text, reason text,
	after jsonb) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
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
CREATE FUNCTION letter_key_digest(topic text, record_key bytea)
	RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT sha256(convert_to(topic, 'UTF8') || decode('00', 'hex')
		|| record_key) $$;

-- The row of a plan; it stays locked until the transaction ends.
CREATE FUNCTION locked_plan(plan int8) RETURNS replay_plans
	LANGUAGE plpgsql SET search_path = ch, pg_temp AS $$
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
CREATE FUNCTION strictest(VARIADIC rules text[]) RETURNS text
	LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN 'role' = ANY (rules) THEN 'role'
		WHEN 'actor' = ANY (rules) THEN 'actor' ELSE 'off' END $$;

-- Whether letters are decided by plans of two people, whatever a planner and a
-- relay's configuration say: 'actor' by name, 'role' by the role that logs in
-- too, which nobody can say for another. By the owner alone. Returns what it was.
CREATE FUNCTION set_two_person(rule text, actor text, reason text,
	dry_run boolean DEFAULT false) RETURNS text
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
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
CREATE FUNCTION refuse_tried_plan() RETURNS trigger
	LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'plan % was a dry run: it is not stored', NEW.plan_id
		USING ERRCODE = 'object_not_in_prerequisite_state',
		HINT = 'roll it back, or plan it without countinghouse.dry_run';
END $$;
CREATE CONSTRAINT TRIGGER replay_plans_tried AFTER INSERT ON replay_plans
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.plan_id < 0)
	EXECUTE FUNCTION refuse_tried_plan();

-- A plan without letters yet, under the session's own role; choose_letters()
-- gives it some. two_person may ask for more than the setting, never for less.
-- The name of the planner is the caller's to say, since people share the login
-- of an API: where that will not do, the rule is 'role'.
CREATE FUNCTION make_plan(selection jsonb, actor text, reason text,
	two_person text, per_second int8, bytes_per_second int8, canary int8,
	canary_returns int8, replays_max int4, kind text) RETURNS int8
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
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
CREATE FUNCTION letter_redirects(kind text, topic text) RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT kind = 'foreign'
		OR topic !~ '^(webhook:.*|[a-zA-Z0-9._-]{1,249})$'
		OR topic IN ('.', '..') $$;

-- Many are looked for in one pass over all letters: the planner takes an array for
-- a few, however long it is, and would look each one up in every day.
CREATE FUNCTION store_letters(p replay_plans, chosen uuid[]) RETURNS int8
	LANGUAGE plpgsql SET search_path = ch, pg_temp SET enable_nestloop = on AS $$
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
CREATE FUNCTION choose_letters(plan int8, chosen uuid[]) RETURNS int8
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
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
CREATE FUNCTION plan_overtakes(plan int8) RETURNS int8
	LANGUAGE sql STABLE SET search_path = ch, pg_temp SET enable_nestloop = off AS $$
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
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
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
CREATE FUNCTION turn_plan(plan int8, become text, detail text, actor text,
	reason text) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
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
CREATE FUNCTION pass_canary(plan int8, actor text) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
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
CREATE FUNCTION begin_page(plan int8, at_place int8, chosen uuid[])
	RETURNS boolean
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
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
CREATE FUNCTION end_step(plan int8, at_place int8, became text, why text)
	RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
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

REVOKE ALL ON FUNCTION lock_letter, claim_letter, put_delivery_back,
	letter_delivered, letter_returned, stop_delivery, bury_deliveries,
	decide_letter, edit_letter, insist_import, import_letter, move_import,
	audit_letters, locked_plan, strictest, set_two_person, make_plan,
	store_letters, choose_letters, plan_overtakes, approve_plan, turn_plan,
	pass_canary, begin_page, end_step, refuse_tried_plan FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lock_letter, claim_letter, bury_deliveries, decide_letter, edit_letter,
	import_letter, move_import, audit_letters, make_plan,
	choose_letters, plan_overtakes, approve_plan, turn_plan, pass_canary, begin_page, end_step TO ch_operator;
GRANT SELECT ON plan_settings TO ch_operator;

-- A database that was made before has granted more.
REVOKE INSERT, UPDATE ON letter_states FROM ch_relay, ch_operator;
REVOKE INSERT ON letter_replays FROM ch_relay, ch_operator;
REVOKE INSERT ON letter_edits, replay_plan_letters FROM ch_operator;
REVOKE INSERT (actor, action, subject, reason, before, after) ON audit_events
	FROM ch_relay, ch_operator;
REVOKE UPDATE (outcome, detail) ON replay_plan_letters FROM ch_operator;
REVOKE UPDATE (letters, next_place, canary_passed, state, state_reason,
	changed_at) ON replay_plans FROM ch_operator;
REVOKE INSERT, UPDATE ON webhook_deliveries, webhook_keys FROM ch_operator;
GRANT EXECUTE ON FUNCTION letter_delivered, letter_returned TO ch_relay;

COMMIT;
