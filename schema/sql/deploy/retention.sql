-- Deploy countinghouse:retention to pg
-- Archives, and how a day of a partitioned table goes: only when nothing
-- needs it any more, and by a function that says what is still missing.

BEGIN;
SET LOCAL search_path = ch;

-- first_day: lowest_day at the start; a lower lowest_day than today's says
-- that days were dropped. least_days: what keep_days may be at least. The log's
-- ids must be known for longer than their records may come again, from a topic
-- that is kept 7 days; and a day is written until its second midnight.
-- needs_*: what must be true before a day may go.
ALTER TABLE retention
	ADD first_day      date,
	ADD least_days     int4 NOT NULL DEFAULT 2,
	ADD needs_snapshot boolean NOT NULL DEFAULT false, -- a verified one covers it
	ADD needs_delivery boolean NOT NULL DEFAULT false, -- every relay is past it
	ADD needs_archive  boolean NOT NULL DEFAULT false;
UPDATE retention SET first_day = lowest_day,
	least_days = CASE WHEN table_name IN ('command_log', 'answers', 'rejected')
		THEN 8 ELSE 2 END,
	needs_snapshot = table_name IN ('command_log', 'postings'),
	needs_delivery = table_name IN ('command_log', 'answers', 'rejected',
		'outbox'),
	needs_archive = table_name IN ('command_log', 'answers', 'rejected',
		'postings');

-- One file that holds a whole day, as it was when it was written. tops: the
-- last log_seq of each stream then, so that a row that came later is noticed.
-- read_back_*: the file was read again, and is what was recorded.
CREATE TABLE archives (
	archive_id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	table_name text NOT NULL,
	day        date NOT NULL,
	file       text NOT NULL CHECK (file <> ''),
	sha256     text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
	row_count  int8 NOT NULL CHECK (row_count >= 0),
	tops       jsonb NOT NULL,
	actor      text NOT NULL CHECK (actor <> ''),
	at         timestamptz NOT NULL DEFAULT clock_timestamp(),
	read_back_at timestamptz,
	read_back_by text
);
CREATE INDEX archives_day ON archives (table_name, day);

GRANT SELECT ON archives TO ch_reconciler, ch_operator;

-- As before, and with what was sealed.
CREATE OR REPLACE VIEW check_balances AS
	SELECT format('balances/%s/%s', ch.org_name(org_id),
			ch.account_subject(org_id, account_id, shard)) AS break_key,
		ch.org_name(org_id) AS org,
		ch.account_subject(org_id, account_id, shard) AS subject,
		coalesce(p.posted, 0) AS expected, b.balance::numeric AS found,
		coalesce(b.balance, 0) - coalesce(p.posted, 0) AS difference,
		NULL::int8 AS low, NULL::int8 AS high
	FROM ch.balances b FULL JOIN (
		SELECT org_id, account_id, shard, sum(posted) AS posted FROM (
			SELECT org_id, account_id, shard, sum(amount) AS posted
			FROM ch.postings GROUP BY 1, 2, 3
			UNION ALL SELECT org_id, account_id, shard, posted
			FROM ch.sealed_postings) u GROUP BY 1, 2, 3) p
		USING (org_id, account_id, shard)
	WHERE b.balance IS DISTINCT FROM coalesce(p.posted, 0);

-- The last log_seq of each stream in a day of a table of the log; of another
-- table an empty object.
CREATE FUNCTION day_tops(of_table text, day date) RETURNS jsonb
	LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
DECLARE
	tops jsonb;
BEGIN
	IF of_table NOT IN ('command_log', 'answers', 'rejected') THEN
		RETURN '{}';
	END IF;
	-- from stream to stream by the index (stream, log_seq)
	EXECUTE format('WITH RECURSIVE s (stream) AS ('
		'(SELECT stream FROM ch.%1$I ORDER BY stream LIMIT 1) UNION ALL '
		'SELECT (SELECT p.stream FROM ch.%1$I p WHERE p.stream > s.stream '
		'ORDER BY p.stream LIMIT 1) FROM s WHERE s.stream IS NOT NULL) '
		'SELECT coalesce(jsonb_object_agg(s.stream, (SELECT p.log_seq '
		'FROM ch.%1$I p WHERE p.stream = s.stream ORDER BY p.log_seq DESC '
		'LIMIT 1)), ''{}'') FROM s WHERE s.stream IS NOT NULL',
		ch.partition_name(of_table, day)) INTO tops;
	RETURN tops;
END $$;

-- Pending although there is a row: quarantined, edited, or put back.
CREATE INDEX letter_states_pending ON letter_states (letter_id)
	WHERE state = 'pending';

-- What is asked of the rows of a day that is there, each time a look at all of
-- them. tops: as above. newest: the last xid. delivered: the snapshot of each slot
-- that has all rows, where newest does not say so. last, rows: the last batch, and
-- how many rows. pending: letters.
CREATE FUNCTION day_facts(of_table text, day date) RETURNS jsonb
	LANGUAGE plpgsql STABLE SET search_path = ch, pg_temp AS $$
DECLARE
	child text := partition_name(of_table, day);
	facts jsonb := jsonb_build_object('tops', day_tops(of_table, day));
	found jsonb := '{}';
	r     record;
BEGIN
	IF of_table = 'outbox' THEN
		EXECUTE format('SELECT jsonb_build_object(''newest'', '
			'max((xid::text)::int8)) FROM ch.%I', child) INTO found;
		FOR r IN SELECT p.slot, p.snapshot FROM relay_progress p
			WHERE (pg_snapshot_xmin(p.snapshot)::text)::int8 <=
				(found->>'newest')::int8 LOOP
			facts := facts || jsonb_build_object('delivered', coalesce(
				facts->'delivered', '{}') || slot_has_all(child, r.slot,
				r.snapshot));
		END LOOP;
	ELSIF of_table = 'postings' THEN
		EXECUTE format('SELECT jsonb_build_object(''last'', '
			'coalesce(max(batch), 0), ''rows'', count(*)) FROM ch.%I', child)
			INTO found;
	ELSIF of_table = 'rejected' THEN
		EXECUTE format('SELECT jsonb_build_object(''pending'', count(*)) '
			'FROM ch.%I p LEFT JOIN ch.letter_states s USING (letter_id) '
			'WHERE coalesce(s.state, ''pending'') = ''pending'' ', child)
			INTO found;
	END IF;
	RETURN facts || found;
END $$;

-- {slot: snapshot} where that has seen every row of a day of outbox, else {}.
CREATE FUNCTION slot_has_all(child text, slot text, seen pg_snapshot)
	RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path = ch, pg_temp AS $$
DECLARE
	behind boolean;
BEGIN
	EXECUTE format('SELECT EXISTS (SELECT FROM ch.%I WHERE (xid::text)::int8 '
		'>= (pg_snapshot_xmin($1)::text)::int8 AND '
		'NOT pg_visible_in_snapshot(xid, $1))', child) INTO behind USING seen;
	RETURN CASE WHEN behind THEN '{}' ELSE jsonb_build_object(slot, seen::text)
		END;
END $$;

-- What must be true before a day may go, in the order in which it is mended. By
-- day_facts() of it, which are true for as long as nobody writes to it: nothing
-- here takes longer the more rows the day has.
CREATE FUNCTION conditions_by(of_table text, day date, facts jsonb)
	RETURNS TABLE (condition text, ok boolean, value text, needed text,
		mend text)
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = ch, pg_temp AS $$
DECLARE
	kept   ch.retention;
	today  date := (now() AT TIME ZONE 'UTC')::date;
	child  text := ch.partition_name(of_table, day);
	oldest text;
	tops   jsonb := facts->'tops';
	last   int8 := facts->>'last';
	rows   int8 := facts->>'rows';
	again  int8;
	r      record;
BEGIN
	SELECT * INTO kept FROM ch.retention t WHERE t.table_name = of_table;
	IF NOT FOUND THEN
		RAISE EXCEPTION '% has no partitions', of_table
			USING ERRCODE = 'invalid_parameter_value', HINT =
			'the tables with partitions are the rows of ch.retention';
	END IF;

	SELECT min(c.relname::text) AS first, bool_or(c.relname = child) AS there
	INTO r
	FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
	WHERE i.inhparent = ('ch.' || quote_ident(of_table))::regclass;
	oldest := r.first;
	condition := 'partition';
	ok := coalesce(r.there, false);
	value := CASE WHEN ok THEN child WHEN to_regclass('ch.' ||
		quote_ident(child)) IS NULL THEN 'none' ELSE 'detached' END;
	needed := child;
	mend := 'SELECT * FROM ch.retention_status() lists the days that are there';
	RETURN NEXT;
	IF NOT ok THEN
		RETURN;
	END IF;

	condition := 'day';
	ok := day < today - kept.keep_days;
	value := day;
	needed := 'before ' || (today - kept.keep_days)::text;
	mend := format('wait until %s, or lower keep_days (%s) by '
		'ch.set_keep_days(%L, ...)', day + kept.keep_days + 1,
		kept.keep_days, of_table);
	RETURN NEXT;

	condition := 'oldest day';
	ok := oldest = child;
	value := child;
	needed := oldest;
	mend := format('days go in order: drop %s first', oldest);
	RETURN NEXT;

	IF kept.needs_delivery THEN
		condition := 'delivered';
		mend := 'let outbox-relay catch up; a slot that is gone for good: '
			'SELECT ch.forget_slot(...)';
		IF of_table = 'outbox' THEN
			FOR r IN SELECT p.slot, p.snapshot FROM ch.relay_progress p LOOP
				ok := coalesce((facts->>'newest')::int8 <
					(pg_snapshot_xmin(r.snapshot)::text)::int8
					OR facts->'delivered'->>r.slot = r.snapshot::text,
					facts->>'newest' IS NULL);
				value := format('slot %s has %s', r.slot, CASE WHEN ok
					THEN 'all rows' ELSE 'rows to deliver' END);
				needed := 'all rows';
				RETURN NEXT;
			END LOOP;
		ELSE
			FOR r IN SELECT p.slot, t.key AS stream, t.value::int8 AS top,
				coalesce(p.log_seqs[array_position(p.streams, t.key::int4)], 0)
					AS done
				FROM ch.relay_progress p, jsonb_each_text(tops) t
				ORDER BY 1, 2 LOOP
				ok := r.done >= r.top;
				value := format('slot %s: stream %s to %s', r.slot, r.stream,
					r.done);
				needed := r.top;
				RETURN NEXT;
			END LOOP;
		END IF;
		IF NOT EXISTS (SELECT FROM ch.relay_progress) THEN
			ok := false;
			value := 'no relay has delivered yet';
			needed := 'a row of ch.relay_progress';
			mend := 'start outbox-relay';
			RETURN NEXT;
		END IF;
	END IF;

	IF of_table IN ('command_log', 'answers', 'rejected') THEN
		condition := 'no gap, says the reconciler';
		-- a stream without a row was never looked at
		FOR r IN SELECT t.key AS stream, t.value::int8 AS top,
			s.verified FROM jsonb_each_text(tops) t
			LEFT JOIN ch.reconcile_streams s ON s.stream = t.key::int4
			ORDER BY 1 LOOP
			ok := coalesce(r.verified >= r.top, false);
			value := CASE WHEN r.verified IS NULL
				THEN format('stream %s never seen', r.stream)
				ELSE format('stream %s to %s', r.stream, r.verified) END;
			needed := r.top;
			mend := CASE WHEN r.verified IS NULL THEN 'start the reconciler'
				ELSE 'let the reconciler catch up, see ch.check_log_seq' END;
			RETURN NEXT;
		END LOOP;
	ELSIF of_table = 'postings' THEN
		condition := 'summed by the reconciler';
		mend := 'let the reconciler catch up, and end its full verification';
		SELECT p.watermark, p.full_gen INTO r FROM ch.reconcile_progress p;
		ok := r.watermark >= last AND r.full_gen IS NULL;
		value := format('batches to %s%s', r.watermark, CASE WHEN r.full_gen
			IS NOT NULL THEN ', a full verification is under way' ELSE '' END);
		needed := last;
		RETURN NEXT;
	END IF;

	IF of_table = 'rejected' THEN
		-- one that was decided may be pending again: those are few
		EXECUTE format('SELECT count(*) FROM ch.letter_states s JOIN ch.%I p '
			'USING (letter_id) WHERE s.state = ''pending'' ', child)
			INTO again;
		last := greatest(again, (facts->>'pending')::int8);
		condition := 'letters';
		ok := last = 0;
		value := last || ' pending';
		needed := '0 pending';
		mend := 'outbox-relay dlq list, then dlq replay or dlq discard';
		RETURN NEXT;
	END IF;

	IF kept.needs_snapshot THEN
		condition := 'snapshot';
		mend := 'SELECT * FROM ch.take_snapshot(...), then ch.verify_snapshot';
		IF of_table = 'postings' THEN
			SELECT max(s.snapshot_id) INTO r FROM ch.snapshots s
			WHERE s.verified_at IS NOT NULL AND s.batch_high >= last
			AND NOT EXISTS (SELECT FROM unnest(s.batches_out) b WHERE b <= last);
		ELSE
			SELECT max(s.snapshot_id) INTO r FROM ch.snapshots s
			WHERE s.verified_at IS NOT NULL AND NOT EXISTS (
				SELECT FROM jsonb_each_text(tops) t
				LEFT JOIN ch.snapshot_streams v ON v.stream = t.key::int4
					AND v.snapshot_id = s.snapshot_id
				WHERE t.value::int8 >= coalesce(v.next_log_seq, 0));
		END IF;
		ok := r.max IS NOT NULL;
		value := coalesce('snapshot ' || r.max, 'no snapshot covers the day');
		needed := 'a verified one that does';
		RETURN NEXT;
	END IF;

	IF kept.needs_archive THEN
		condition := 'archive';
		-- postings are of no stream: they have no tops, but a number
		SELECT a.archive_id, a.file, a.read_back_at, a.tops = x.found
			AND a.row_count = coalesce(rows, a.row_count) AS same
			INTO r FROM (SELECT tops AS found) x, ch.archives a
			WHERE a.table_name = of_table AND a.day = conditions_by.day
			ORDER BY a.archive_id DESC LIMIT 1;
		ok := coalesce(r.same AND r.read_back_at IS NOT NULL, false);
		value := CASE WHEN r.file IS NULL THEN 'none' WHEN ok THEN r.file
			WHEN r.same THEN r.file || ', not read back'
			ELSE 'rows came after ' || r.file END;
		needed := 'a file with every row, read back';
		mend := CASE WHEN r.same THEN format('ledger-writer archive writes '
			'and reads it; by hand: count its rows, take its digest, then '
			'SELECT ch.confirm_archive(%s, ...)', r.archive_id)
			ELSE format('write the day to a file, then SELECT * FROM '
			'ch.record_archive(%L, %L, ...)', of_table, day) END;
		RETURN NEXT;
	END IF;
END $$;

-- By the facts of now, where there is such a day.
CREATE FUNCTION day_conditions(of_table text, day date)
	RETURNS TABLE (condition text, ok boolean, value text, needed text,
		mend text)
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ch, pg_temp AS $$
	SELECT * FROM conditions_by(of_table, day, CASE WHEN to_regclass('ch.' ||
		quote_ident(partition_name(of_table, day))) IS NOT NULL
		THEN day_facts(of_table, day) END) $$;

-- Raises the first condition that does not hold, of all but one that is asked
-- later.
CREATE FUNCTION insist_by(of_table text, day date, facts jsonb,
	later text DEFAULT '') RETURNS void
	LANGUAGE plpgsql STABLE AS $$
DECLARE
	c record;
BEGIN
	SELECT * INTO c FROM ch.conditions_by(of_table, day, facts) k
		WHERE NOT k.ok AND k.condition <> later LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION '% of % stays: % is %, needed is %', of_table, day,
			c.condition, c.value, c.needed
			USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = c.mend;
	END IF;
END $$;

CREATE FUNCTION insist_day_may_go(of_table text, day date) RETURNS void
	LANGUAGE sql STABLE AS $$
	SELECT ch.insist_by(of_table, day, CASE WHEN to_regclass('ch.' ||
		quote_ident(ch.partition_name(of_table, day))) IS NOT NULL
		THEN ch.day_facts(of_table, day) END) $$;

-- How long the days of a table are kept, least_days or more. Only makes a later
-- drop possible, or forbids one.
CREATE FUNCTION set_keep_days(of_table text, days int4, actor text,
	reason text, dry_run boolean DEFAULT false) RETURNS int4
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
DECLARE
	old ch.retention;
BEGIN
	PERFORM ch.insist_who_and_why('set_keep_days', actor, reason);
	SELECT * INTO old FROM ch.retention t WHERE t.table_name = of_table
		FOR UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION '% has no partitions', of_table
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF (days >= old.least_days) IS NOT TRUE THEN
		RAISE EXCEPTION '% is to be kept % days, needed are % at least',
			of_table, days, old.least_days
			USING ERRCODE = 'invalid_parameter_value', HINT = 'ids are known '
			'as long as their records may come again, and a day is written '
			'until its second midnight; rows take room: see the disk';
	END IF;
	IF NOT dry_run THEN
		UPDATE ch.retention t SET keep_days = days
			WHERE t.table_name = of_table;
		INSERT INTO ch.audit_events (actor, action, subject, reason, before,
			after)
		VALUES (actor, 'set_keep_days', of_table, reason,
			to_jsonb(old.keep_days), to_jsonb(days));
	END IF;
	RETURN old.keep_days;
END $$;

-- From now on no row of that day or an earlier one is written: an id of it is
-- key_expired. Do it before the day is archived. Returns the lowest day.
CREATE FUNCTION close_day(of_table text, day date, actor text, reason text,
	dry_run boolean DEFAULT false) RETURNS date
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
DECLARE
	c   record;
	old ch.retention;
BEGIN
	PERFORM ch.insist_who_and_why('close_day', actor, reason);
	SELECT * INTO c FROM ch.day_conditions(of_table, day)
		WHERE NOT ok AND condition IN ('partition', 'day');
	IF FOUND THEN
		RAISE EXCEPTION '% of % stays open: % is %, needed is %', of_table,
			day, c.condition, c.value, c.needed
			USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = c.mend;
	END IF;
	SELECT * INTO old FROM ch.retention t WHERE t.table_name = of_table
		FOR UPDATE;
	IF old.lowest_day > day OR dry_run THEN
		RETURN greatest(old.lowest_day, day + 1);
	END IF;
	UPDATE ch.retention t SET lowest_day = day + 1
		WHERE t.table_name = of_table;
	INSERT INTO ch.audit_events (actor, action, subject, reason, before, after)
	VALUES (actor, 'close_day', of_table, reason, to_jsonb(old.lowest_day),
		to_jsonb(day + 1));
	RETURN day + 1;
END $$;

-- Remembers that a day was written to a file: counts the rows, and refuses
-- when the file has another number. reason: why it was written, where there is
-- more to say than that it was. Returns the archive's id.
CREATE FUNCTION record_archive(of_table text, day date, file text,
	sha256 text, row_count int8, actor text, dry_run boolean DEFAULT false,
	reason text DEFAULT NULL)
	RETURNS int8 LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = ch, pg_temp AS $$
DECLARE
	child text := ch.partition_name(of_table, day);
	there int8;
	busy  int4;
	made  ch.archives;
BEGIN
	PERFORM ch.insist_who_and_why('record_archive', actor, file);
	IF NOT EXISTS (SELECT FROM ch.retention t WHERE t.table_name = of_table)
		OR to_regclass('ch.' || quote_ident(child)) IS NULL THEN
		RAISE EXCEPTION 'there is no partition %', child
			USING ERRCODE = 'undefined_table';
	END IF;
	IF day >= (now() AT TIME ZONE 'UTC')::date - 1 THEN
		RAISE EXCEPTION '% is still written: day is %, needed is before %',
			child, day, (now() AT TIME ZONE 'UTC')::date - 1
			USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	SELECT l.pid INTO busy FROM pg_locks l
		WHERE l.relation = ('ch.' || quote_ident(child))::regclass
		AND l.mode = 'RowExclusiveLock' AND l.pid <> pg_backend_pid() LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION '% is being written by backend %', child, busy
			USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'wait for that transaction to end';
	END IF;
	EXECUTE format('SELECT count(*) FROM ch.%I', child) INTO there;
	IF there <> row_count THEN
		RAISE EXCEPTION '% has % rows, the file has %', child, there, row_count
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT =
			'close the day (ch.close_day), write the file again';
	END IF;
	IF dry_run THEN
		RETURN NULL;
	END IF;
	INSERT INTO ch.archives (table_name, day, file, sha256, row_count, tops,
		actor)
	VALUES (of_table, day, file, lower(sha256), row_count,
		ch.day_tops(of_table, day), actor) RETURNING * INTO made;
	INSERT INTO ch.audit_events (actor, action, subject, reason, after)
	VALUES (actor, 'record_archive', child,
		coalesce(nullif(reason, ''), 'written to ' || file), to_jsonb(made));
	RETURN made.archive_id;
END $$;

-- The file of an archive was read again, and has this digest and so many rows.
-- Raises when it was recorded with others. Before that its day may not go.
CREATE FUNCTION confirm_archive(archive int8, sha256 text, row_count int8,
	actor text, reason text, dry_run boolean DEFAULT false) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
DECLARE
	old ch.archives;
BEGIN
	PERFORM ch.insist_who_and_why('confirm_archive', actor, reason);
	SELECT * INTO old FROM ch.archives a WHERE a.archive_id = archive
		FOR UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no archive %', archive
			USING ERRCODE = 'no_data_found', HINT = 'see ch.archives';
	END IF;
	IF (lower(sha256) = old.sha256 AND row_count = old.row_count) IS NOT TRUE
		THEN
		RAISE EXCEPTION 'archive % was recorded with % rows and digest %, read '
			'are % rows and %', archive, old.row_count, old.sha256, row_count,
			sha256 USING ERRCODE = 'object_not_in_prerequisite_state', HINT =
			format('the file %s is damaged or another one: write the day '
			'again while it is there', old.file);
	END IF;
	IF NOT dry_run THEN
		UPDATE ch.archives a SET read_back_at = clock_timestamp(),
			read_back_by = confirm_archive.actor WHERE a.archive_id = archive;
		INSERT INTO ch.audit_events (actor, action, subject, reason, after)
		VALUES (actor, 'confirm_archive', ch.partition_name(old.table_name,
			old.day), reason, jsonb_build_object('archive', archive, 'file',
			old.file, 'sha256', old.sha256, 'row_count', old.row_count));
	END IF;
END $$;

-- A relay that is gone for good holds no day back any more: what its slot has
-- delivered is forgotten. Refuses while the slot is there or its relay leads it;
-- one that comes back begins as if it had never run. Returns the row.
CREATE FUNCTION forget_slot(slot text, actor text, reason text,
	dry_run boolean DEFAULT false) RETURNS jsonb
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
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

-- Nobody writes to the day, and no vacuum is at work there, until the transaction
-- ends; readers are let in, and writers of other days. False: there is no such day.
CREATE FUNCTION lock_day(of_table text, day date, wait_ms int4) RETURNS boolean
	LANGUAGE plpgsql SET lock_timeout = '200ms' AS $$
DECLARE
	child text := ch.partition_name(of_table, day);
BEGIN
	PERFORM set_config('lock_timeout', greatest(wait_ms, 1)::text, true);
	IF to_regclass('ch.' || quote_ident(child)) IS NULL THEN
		RETURN false;
	END IF;
	EXECUTE format('LOCK TABLE ch.%I IN SHARE ROW EXCLUSIVE MODE', child);
	RETURN true;
EXCEPTION WHEN lock_not_available THEN
	RAISE EXCEPTION '% was not free within % ms', child, wait_ms
		USING ERRCODE = 'lock_not_available', HINT = 'somebody writes to it, '
		'or drops it too: see pg_locks, and try again';
END $$;

-- Who reads or writes a table waits behind whoever waits for this lock: hence for
-- a moment only, again and again; the table last, so that it is not held while a
-- day is waited for.
CREATE FUNCTION lock_to_detach(of_table text, children text[], wait_ms int4)
	RETURNS void
	LANGUAGE plpgsql SET lock_timeout = '200ms' AS $$
DECLARE
	began timestamptz := clock_timestamp();
BEGIN
	LOOP
		BEGIN
			EXECUTE (SELECT format('LOCK TABLE %s, ONLY ch.%I IN ACCESS '
				'EXCLUSIVE MODE', string_agg(format('ch.%I', c), ', '),
				of_table) FROM unnest(children) c);
			RETURN;
		EXCEPTION WHEN lock_not_available THEN
			IF clock_timestamp() > began + wait_ms * interval '1 ms' THEN
				RAISE EXCEPTION '% was not free within % ms', of_table, wait_ms
					USING ERRCODE = 'lock_not_available', HINT =
					'try again, or run the statements of ch.drop_day_script()';
			END IF;
		END;
		PERFORM pg_sleep(0.3);
	END LOOP;
END $$;

-- What a drop changes besides the table: the lowest day, and where the
-- reconciler expects the log of each stream to begin.
CREATE FUNCTION retire_day(of_table text, day date) RETURNS void
	LANGUAGE sql AS $$
	UPDATE ch.retention t SET lowest_day = greatest(lowest_day, day + 1)
		WHERE t.table_name = of_table;
	-- verified is the reconciler's own: that it is as far was insisted on
	UPDATE ch.reconcile_streams s SET base = greatest(s.base, t.value::int8),
		again = greatest(s.again, t.value::int8)
	FROM jsonb_each_text(ch.day_tops(of_table, day)) t
	WHERE s.stream = t.key::int4;
	$$;

-- Marks of deliveries from before the log that is kept, and a day more, since a
-- row is decided and delivered by other clocks.
CREATE FUNCTION forget_marks() RETURNS void LANGUAGE sql AS $$
	DELETE FROM ch.delivery_marks m WHERE m.at < (SELECT min(t.lowest_day)
		FROM ch.retention t WHERE t.table_name IN ('command_log', 'answers'))
		::timestamp AT TIME ZONE 'UTC' - interval '1 day';
	$$;

-- Postings of a day, summed.
CREATE FUNCTION seal_day(day date) RETURNS void
	LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('INSERT INTO ch.sealed_postings AS s SELECT org_id, '
		'account_id, shard, sum(amount), count(*), %L FROM ch.%I '
		'GROUP BY 1, 2, 3 ON CONFLICT (org_id, account_id, shard) DO '
		'UPDATE SET posted = s.posted + excluded.posted, '
		'n = s.n + excluded.n, through = excluded.through', day,
		ch.partition_name('postings', day));
END $$;

-- Under the lock that nobody writes past.
CREATE FUNCTION detach_day(of_table text, day date, actor text, reason text)
	RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	child text := ch.partition_name(of_table, day);
	gone  jsonb := ch.day_as_audited(of_table, day);
BEGIN
	EXECUTE format('ALTER TABLE ch.%I DETACH PARTITION ch.%I', of_table, child);
	EXECUTE format('DROP TABLE ch.%I', child);
	INSERT INTO ch.audit_events (actor, action, subject, reason, before)
	VALUES (actor, 'drop_day', child, reason, gone);
END $$;

-- Days go, the oldest first, in one transaction: lowest_day first, so that their
-- partitions are not made again; postings are summed into sealed_postings. All
-- that takes longer the more rows there are is done before the table is locked,
-- which stops all who write to it: nobody writes to these days meanwhile, so it is
-- still true then. Returns what was asked of each day.
CREATE FUNCTION drop_days(of_table text, days date[], actor text, reason text,
	wait_ms int4)
	RETURNS TABLE (condition text, ok boolean, value text, needed text,
		mend text)
	LANGUAGE plpgsql AS $$
DECLARE
	d     date;
	facts jsonb[] := '{}';
BEGIN
	FOREACH d IN ARRAY days LOOP
		facts := array_append(facts, CASE WHEN ch.lock_day(of_table, d, wait_ms)
			THEN ch.day_facts(of_table, d) END);
		PERFORM ch.insist_by(of_table, d, facts[cardinality(facts)],
			CASE WHEN d > days[1] THEN 'oldest day' ELSE '' END);
		PERFORM ch.retire_day(of_table, d);
		IF of_table = 'postings' THEN
			PERFORM ch.seal_day(d);
		END IF;
	END LOOP;
	PERFORM ch.forget_marks();
	PERFORM ch.lock_to_detach(of_table, ARRAY(SELECT
		ch.partition_name(of_table, x) FROM unnest(days) x), wait_ms);
	FOR n IN 1 .. cardinality(days) LOOP
		PERFORM ch.insist_by(of_table, days[n], facts[n]);
		RETURN QUERY SELECT * FROM ch.conditions_by(of_table, days[n],
			facts[n]);
		PERFORM ch.detach_day(of_table, days[n], actor, reason);
	END LOOP;
END $$;

-- One day. Raises the first thing that is missing; dry_run only returns what is
-- asked of the day, ok or not.
CREATE FUNCTION drop_day(of_table text, day date, actor text, reason text,
	dry_run boolean DEFAULT false, wait_ms int4 DEFAULT 10000)
	RETURNS TABLE (condition text, ok boolean, value text, needed text,
		mend text)
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
BEGIN
	PERFORM ch.insist_who_and_why('drop_day', actor, reason);
	IF dry_run THEN
		RETURN QUERY SELECT * FROM ch.day_conditions(of_table, day);
	ELSE
		RETURN QUERY SELECT * FROM ch.drop_days(of_table, ARRAY[day], actor,
			reason, wait_ms);
	END IF;
END $$;

-- What of a day is kept in the audit trail.
CREATE FUNCTION day_as_audited(of_table text, day date) RETURNS jsonb
	LANGUAGE sql STABLE AS $$
	SELECT jsonb_build_object('bytes', pg_total_relation_size(('ch.' ||
			quote_ident(ch.partition_name(of_table, day)))::regclass),
		'tops', ch.day_tops(of_table, day), 'archive', (SELECT to_jsonb(a)
			FROM ch.archives a WHERE a.table_name = of_table
			AND a.day = day_as_audited.day ORDER BY a.archive_id DESC LIMIT 1))
	$$;

-- Drops the days of a table that may go, oldest first, until one may not.
CREATE FUNCTION drop_due_days(of_table text, actor text, reason text,
	dry_run boolean DEFAULT false)
	RETURNS SETOF date LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = ch, pg_temp AS $$
DECLARE
	d    date;
	days date[] := '{}';
BEGIN
	PERFORM ch.insist_who_and_why('drop_due_days', actor, reason);
	FOR d IN SELECT s.day FROM ch.retention_status() s
		WHERE s.table_name = of_table AND s.attached
		AND (s.may_go OR s.why_not NOT LIKE 'kept %') ORDER BY s.day LOOP
		EXIT WHEN EXISTS (SELECT FROM ch.day_conditions(of_table, d) c
			WHERE NOT c.ok AND c.condition <> 'oldest day');
		days := days || d;
	END LOOP;
	IF days <> '{}' AND NOT dry_run THEN
		PERFORM ch.drop_days(of_table, days, actor, reason, 10000);
	END IF;
	RETURN QUERY SELECT unnest(days);
END $$;

-- The same as drop_day for the owner, on a table so busy that the lock is not
-- had: DETACH CONCURRENTLY cannot stand in a function. Run what it returns
-- one by one, in autocommit: psql -v ON_ERROR_STOP=1, then \gexec.
CREATE FUNCTION drop_day_script(of_table text, day date, actor text,
	reason text) RETURNS SETOF text
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = ch, pg_temp AS $$
BEGIN
	PERFORM ch.insist_who_and_why('drop_day_script', actor, reason);
	IF of_table = 'postings' THEN
		RAISE EXCEPTION 'postings are sealed in the transaction that drops '
			'them: use ch.drop_day()'
			USING ERRCODE = 'feature_not_supported';
	END IF;
	PERFORM ch.insist_day_may_go(of_table, day);
	RETURN NEXT format('SELECT ch.begin_drop(%L, %L, %L, %L)', of_table, day,
		actor, reason);
	RETURN NEXT format('ALTER TABLE ch.%I DETACH PARTITION ch.%I CONCURRENTLY',
		of_table, ch.partition_name(of_table, day));
	RETURN NEXT format('SELECT ch.finish_drop(%L, %L, %L, %L)', of_table, day,
		actor, reason);
END $$;
CREATE FUNCTION begin_drop(of_table text, day date, actor text, reason text)
	RETURNS void LANGUAGE sql AS $$
	SELECT ch.insist_who_and_why('begin_drop', actor, reason);
	SELECT ch.insist_day_may_go(of_table, day);
	SELECT ch.retire_day(of_table, day);
	SELECT ch.forget_marks();
	INSERT INTO ch.audit_events (actor, action, subject, reason, before)
	VALUES (actor, 'begin_drop', ch.partition_name(of_table, day), reason,
		ch.day_as_audited(of_table, day));
	$$;
CREATE FUNCTION finish_drop(of_table text, day date, actor text, reason text)
	RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	child text := ch.partition_name(of_table, day);
	gone  jsonb;
BEGIN
	PERFORM ch.insist_who_and_why('finish_drop', actor, reason);
	IF EXISTS (SELECT FROM pg_inherits WHERE inhrelid =
		('ch.' || quote_ident(child))::regclass) THEN
		RAISE EXCEPTION '% is still attached', child
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format(
			'ALTER TABLE ch.%I DETACH PARTITION ch.%I FINALIZE ends a detach '
			'that was cut short', of_table, child);
	END IF;
	gone := ch.day_as_audited(of_table, day);
	IF (SELECT needs_archive FROM ch.retention WHERE table_name = of_table)
		AND gone->'archive'->'tops' IS DISTINCT FROM gone->'tops' THEN
		RAISE EXCEPTION 'rows came to % after its archive', child
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT =
			'archive it again: it is a table of its own now';
	END IF;
	EXECUTE format('DROP TABLE ch.%I', child);
	INSERT INTO ch.audit_events (actor, action, subject, reason, before)
	VALUES (actor, 'drop_day', child, reason, gone);
END $$;

-- Every day of every partitioned table, its size, and whether it could go.
-- Days that are kept anyway are not looked into.
CREATE FUNCTION retention_status()
	RETURNS TABLE (table_name text, day date, attached boolean, bytes int8,
		row_estimate int8, may_go boolean, why_not text, mend text)
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ch, pg_temp AS $$
	SELECT p.table_name, p.day, p.attached, pg_total_relation_size(p.oid),
		nullif(p.reltuples::int8, -1), NOT p.kept AND w.condition IS NULL,
		CASE WHEN p.kept THEN 'kept until ' || p.day + p.keep_days
			ELSE w.condition || ' is ' || w.value || ', needed is ' ||
				w.needed END, w.mend
	FROM (
		SELECT r.table_name, to_date(right(c.relname, 8), 'YYYYMMDD') AS day,
			i.inhrelid IS NOT NULL AS attached, c.oid, c.reltuples,
			r.keep_days, to_date(right(c.relname, 8), 'YYYYMMDD') >=
				(now() AT TIME ZONE 'UTC')::date - r.keep_days AS kept
		FROM ch.retention r JOIN pg_class c
			ON c.relname ~ ('^' || r.table_name || '_[0-9]{8}$')
		LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
		WHERE c.relnamespace = 'ch'::regnamespace AND c.relkind = 'r') p
	LEFT JOIN LATERAL (SELECT * FROM ch.day_conditions(p.table_name, p.day)
		WHERE NOT ok LIMIT 1) w ON NOT p.kept
	ORDER BY 1, 2
	$$;

REVOKE ALL ON FUNCTION day_tops, day_facts, slot_has_all, conditions_by,
	day_conditions, insist_by, insist_day_may_go, set_keep_days, close_day,
	record_archive, confirm_archive, forget_slot, lock_day, lock_to_detach,
	retire_day, seal_day, detach_day, drop_days, drop_day, day_as_audited,
	drop_due_days,
	drop_day_script, begin_drop, finish_drop, retention_status FROM PUBLIC;
GRANT EXECUTE ON FUNCTION day_conditions, set_keep_days, close_day,
	record_archive, confirm_archive, forget_slot, drop_day, drop_due_days,
	drop_day_script, retention_status TO ch_operator;
GRANT EXECUTE ON FUNCTION retention_status TO ch_reconciler;

COMMIT;
