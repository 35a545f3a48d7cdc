-- Deploy countinghouse:limits to pg
-- Rate rules are changed as pauses are: under the pause lock, exclusive, so
-- that no batch decides across the change, with a number of batch_seq drawn
-- after the lock, which places it in the order of decisions.

BEGIN;
SET LOCAL search_path = ch;

-- Raises unless a rule may count these types, and each share gets one.
CREATE FUNCTION insist_countable(types text[], most int4, shares int4)
	RETURNS void LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	odd text;
BEGIN
	PERFORM ch.insist_types('set_rate_rule', types);
	SELECT k.type INTO odd FROM ch.command_types() k
		WHERE k.fact AND k.type = ANY (types);
	IF FOUND THEN
		RAISE EXCEPTION 'no rate rule counts %: it is a fact', odd
			USING ERRCODE = 'invalid_parameter_value', HINT =
			'what happened already would be lost if it was refused';
	END IF;
	IF most < shares THEN
		RAISE EXCEPTION 'most is %, needed is at least shares: %', most,
			shares USING ERRCODE = 'invalid_parameter_value', HINT =
			'each share is for some partitions: one that gets nothing of the '
			'limit refuses all that they bring';
	END IF;
END $$;

CREATE FUNCTION put_rate_rule(rule rate_rules) RETURNS rate_rules
	LANGUAGE sql AS $$
	INSERT INTO ch.rate_rules AS r (name, org_id, scope, types, most,
		window_us, shares, number)
	VALUES (rule.name, rule.org_id, rule.scope, rule.types, rule.most,
		rule.window_us, rule.shares, rule.number)
	ON CONFLICT ON CONSTRAINT rate_rules_name_key DO UPDATE
	SET org_id = excluded.org_id, scope = excluded.scope,
		types = excluded.types, most = excluded.most,
		window_us = excluded.window_us, shares = excluded.shares,
		number = excluded.number
	RETURNING r.*
	$$;

-- Raises what put_rate_rule() would raise, and takes back what it did.
CREATE FUNCTION try_rate_rule(rule rate_rules) RETURNS void
	LANGUAGE plpgsql AS $$
BEGIN
	PERFORM ch.put_rate_rule(rule);
	RAISE EXCEPTION USING ERRCODE = 'CHDRY', MESSAGE = 'a dry run';
EXCEPTION WHEN SQLSTATE 'CHDRY' THEN
	NULL;
END $$;

-- The commands of `types` may be counted at most `most` times per window: for
-- each actor of an organisation (scope actor), or for the organisation (scope
-- org, split into `shares`). org NULL: for every organisation, each by itself.
-- Changes the rule of that name if there is one; its windows go on, unless
-- org, scope or shares changed, when they begin empty. Returns the change's
-- number. Facts are counted by no rule: one that was refused would be lost.
-- dry_run: refuses what it would refuse, changes nothing, returns NULL.
CREATE FUNCTION set_rate_rule(name text, org text, scope text, types text[],
	most int4, per interval, shares int4, actor text, reason text,
	wait_ms int4 DEFAULT 10000, dry_run boolean DEFAULT false)
	RETURNS int8 LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = ch, pg_temp AS $$
DECLARE
	place int4;
	drawn int8;
	span  int8 := (extract(epoch FROM per) * 1000000)::int8;
	old   ch.rate_rules;
	fresh ch.rate_rules;
BEGIN
	PERFORM ch.insist_who_and_why('set_rate_rule', actor, reason);
	PERFORM ch.insist_countable(types, most, shares);
	IF org IS NOT NULL THEN
		SELECT o.org_id INTO place FROM ch.orgs o WHERE o.name = org;
		IF NOT FOUND THEN
			RAISE EXCEPTION 'there is no organisation %', org
				USING ERRCODE = 'no_data_found', HINT =
				'an organisation is made by its first command';
		END IF;
	END IF;
	IF dry_run THEN
		PERFORM ch.try_rate_rule((0, name, place, scope, types, most, span,
			shares, 0)::ch.rate_rules);
		RETURN NULL;
	END IF;
	PERFORM ch.take_pause_lock(actor, wait_ms);
	drawn := nextval('ch.batch_seq');
	SELECT * INTO old FROM ch.rate_rules r WHERE r.name = set_rate_rule.name;
	IF FOUND AND (old.org_id, old.scope, old.shares)
		IS DISTINCT FROM (place, set_rate_rule.scope, set_rate_rule.shares) THEN
		DELETE FROM ch.rate_windows w WHERE w.rule_id = old.rule_id;
	END IF;
	fresh := ch.put_rate_rule((0, name, place, scope, types, most, span, shares,
		drawn)::ch.rate_rules);
	INSERT INTO ch.audit_events (actor, action, subject, reason, before, after)
	VALUES (actor, 'set_rate_rule', set_rate_rule.name, reason,
		CASE WHEN old.rule_id IS NOT NULL THEN to_jsonb(old) END,
		to_jsonb(fresh));
	RETURN drawn;
END $$;

-- The rule counts no more; its windows are gone with it. dry_run: as above.
CREATE FUNCTION drop_rate_rule(name text, actor text, reason text,
	wait_ms int4 DEFAULT 10000, dry_run boolean DEFAULT false)
	RETURNS int8 LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = ch, pg_temp AS $$
DECLARE
	drawn int8;
	old   ch.rate_rules;
BEGIN
	PERFORM ch.insist_who_and_why('drop_rate_rule', actor, reason);
	IF NOT dry_run THEN
		PERFORM ch.take_pause_lock(actor, wait_ms);
	END IF;
	SELECT * INTO old FROM ch.rate_rules r WHERE r.name = drop_rate_rule.name;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no rate rule %', name
			USING ERRCODE = 'no_data_found';
	END IF;
	IF dry_run THEN
		RETURN NULL;
	END IF;
	DELETE FROM ch.rate_rules r WHERE r.rule_id = old.rule_id;
	drawn := nextval('ch.batch_seq');
	DELETE FROM ch.rate_windows w WHERE w.rule_id = old.rule_id;
	INSERT INTO ch.audit_events (actor, action, subject, reason, before, after)
	VALUES (actor, 'drop_rate_rule', name, reason, to_jsonb(old),
		jsonb_build_object('number', drawn));
	RETURN drawn;
END $$;

-- Removes the windows of those who sent nothing for so long that no answer can
-- show it: longer than the longest window that a rule may have, not than the
-- rule's own, since a rule may get a longer one at any time. The margin is more
-- than a writer's clock may differ; the books' own time counts, so that a
-- server's clock gone ahead removes nothing. Returns how many.
CREATE FUNCTION drop_quiet_windows(actor text, reason text,
	dry_run boolean DEFAULT false) RETURNS int8
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
DECLARE
	before timestamptz;
	gone   int8;
BEGIN
	PERFORM ch.insist_who_and_why('drop_quiet_windows', actor, reason);
	SELECT least(now(), max(p.last_at)) - interval '31 days 1 hour'
		INTO before FROM ch.consumer_partitions p;
	IF dry_run THEN
		SELECT count(*) INTO gone FROM ch.rate_windows w
			WHERE w.last_at < before;
		RETURN gone;
	END IF;
	-- a writer that holds one uses it
	DELETE FROM ch.rate_windows w USING (SELECT q.ctid AS place
		FROM ch.rate_windows q WHERE q.last_at < before
		FOR UPDATE SKIP LOCKED) quiet
	WHERE w.ctid = quiet.place;
	GET DIAGNOSTICS gone = ROW_COUNT;
	IF gone > 0 THEN
		INSERT INTO ch.audit_events (actor, action, subject, reason, after)
		VALUES (actor, 'drop_quiet_windows', 'rate_windows', reason,
			jsonb_build_object('rows', gone, 'last before', before));
	END IF;
	RETURN gone;
END $$;
REVOKE ALL ON FUNCTION set_rate_rule, drop_rate_rule, drop_quiet_windows,
	insist_countable, put_rate_rule, try_rate_rule FROM PUBLIC;
GRANT EXECUTE ON FUNCTION set_rate_rule, drop_rate_rule, drop_quiet_windows
	TO ch_operator;

COMMIT;
