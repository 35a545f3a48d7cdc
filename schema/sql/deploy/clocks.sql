-- Deploy countinghouse:clocks to pg
-- Clocks that went ahead together, a writer's and PostgreSQL's, are noticed by
-- nobody: what they stamped holds the books' time there, since no decision is
-- before the last one of its rows. By an operator's call it comes back.

BEGIN;
SET LOCAL search_path = ch;

-- Tables whose rows carry the time of their last decision.
CREATE FUNCTION timed_tables() RETURNS SETOF text
	LANGUAGE sql IMMUTABLE ROWS 9 AS $$
	VALUES ('consumer_partitions'), ('balances'), ('stock'), ('reservations'),
		('holds'), ('orders'), ('ledger_markets'), ('positions'),
		('rate_windows')
	$$;

-- Sets back to now what is later, and takes stamps of rate windows that are
-- later out. What was decided meanwhile stays as it is, with its times. Returns
-- how many rows of which table, and the latest time in it; dry_run only returns.
-- Refuses while a writer has a partition: it would stamp rows again.
CREATE FUNCTION set_back_times(actor text, reason text,
	dry_run boolean DEFAULT false)
	RETURNS TABLE (table_name text, rows_ahead int8, latest timestamptz)
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp
	SET lock_timeout = '5s' AS $$
DECLARE
	now_at timestamptz := clock_timestamp();
	living record;
	said   jsonb := '{}';
BEGIN
	PERFORM ch.insist_who_and_why('set_back_times', actor, reason);
	IF NOT dry_run THEN -- who claims meanwhile waits
		PERFORM FROM ch.consumer_partitions p ORDER BY p.topic, p.part
			FOR NO KEY UPDATE;
	END IF;
	PERFORM pg_stat_clear_snapshot();
	SELECT p.topic, p.part, o.pid, o.owner INTO living
		FROM ch.consumer_partitions p,
		LATERAL ch.partition_owner(p.topic, p.part) o LIMIT 1;
	IF FOUND AND NOT dry_run THEN
		RAISE EXCEPTION 'the owner % of %/% lives (backend %)', living.owner,
			living.topic, living.part, living.pid
			USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'set the clocks right, then stop the writers';
	END IF;
	FOR set_back_times.table_name IN SELECT t FROM ch.timed_tables() t LOOP
		EXECUTE format('SELECT count(*), max(last_at) FROM ch.%I '
			'WHERE last_at > $1', set_back_times.table_name)
			INTO rows_ahead, latest USING now_at;
		CONTINUE WHEN rows_ahead = 0;
		RETURN NEXT;
		CONTINUE WHEN dry_run;
		said := said || jsonb_build_object(set_back_times.table_name,
			jsonb_build_object('rows', rows_ahead, 'latest', latest));
		EXECUTE format('UPDATE ch.%I SET last_at = $1%s WHERE last_at > $1',
			set_back_times.table_name, CASE set_back_times.table_name
			WHEN 'rate_windows' THEN ', stamps = ARRAY(SELECT s FROM '
				'unnest(stamps) s WHERE s <= extract(epoch FROM $1) * 1000000 '
				'ORDER BY s)' ELSE '' END) USING now_at;
	END LOOP;
	IF said <> '{}' THEN
		INSERT INTO ch.audit_events (actor, action, subject, reason, before,
			after)
		VALUES (actor, 'set_back_times', 'books', reason, said,
			to_jsonb(now_at));
	END IF;
END $$;
REVOKE ALL ON FUNCTION timed_tables, set_back_times FROM PUBLIC;
GRANT EXECUTE ON FUNCTION set_back_times TO ch_operator;

COMMIT;
