-- Deploy countinghouse:health to pg
-- What makes hot rows slow or stops the writer, and upkeep that was not done, as
-- rows to poll: each with its value, its threshold and, when it is not ok, what
-- to do. Reads the statistics views, no table of the books. Whoever asks is
-- remembered by name, so that counters are counted since that one's last look.

BEGIN;
SET LOCAL search_path = ch;

-- updates, hot: as they were when hot_ratio was last computed; seq_scans as they
-- were at looked_at.
CREATE TABLE health_marks (
	looker     text NOT NULL,
	table_name text NOT NULL,
	seq_scans  int8 NOT NULL,
	updates    int8 NOT NULL,
	hot        int8 NOT NULL,
	hot_ratio  numeric NOT NULL,
	looked_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (looker, table_name)
) WITH (fillfactor = 50);
GRANT SELECT ON health_marks TO ch_operator;

-- Tables that batches go to by their keys. updated: rows that batches update,
-- so that dead versions matter. hot: no column that changes is indexed, nor in
-- an index's predicate (the state of a hold or reservation, the lock of a
-- position are), so that updates can be HOT. dead_limit: what may be there
-- besides a fifth of the live rows; what is not HOT is freed by vacuum alone,
-- which comes once in autovacuum_naptime (a minute).
CREATE FUNCTION hot_tables()
	RETURNS TABLE (table_name text, updated boolean, hot boolean,
		dead_limit int8)
	LANGUAGE sql IMMUTABLE ROWS 17 AS $$
	VALUES ('balances', true, true, 10000), ('stock', true, true, 10000),
		('orders', true, true, 10000), ('ledger_markets', true, true, 10000),
		('rate_windows', true, true, 10000),
		('consumer_partitions', true, true, 10000),
		('reservations', true, false, 100000), ('holds', true, false, 100000),
		('positions', true, false, 100000), ('accounts', false, false, 0),
		('skus', false, false, 0), ('assets', false, false, 0),
		('order_fills', false, false, 0), ('reversals', false, false, 0),
		('own_trades', false, false, 0),
		('command_log', false, false, 0), ('postings', false, false, 0)
	$$;

-- Their counters, of a partitioned table the sums of the partitions that are
-- written: yesterday's and later.
CREATE FUNCTION hot_counters()
	RETURNS TABLE (table_name text, updated boolean, can_be_hot boolean,
		dead_limit int8, seq_scans int8, updates int8, hot int8, live int8,
		dead int8)
	LANGUAGE sql STABLE ROWS 17 AS $$
	SELECT h.table_name, h.updated, h.hot, h.dead_limit,
		coalesce(sum(pg_stat_get_numscans(c.oid)), 0)::int8,
		coalesce(sum(pg_stat_get_tuples_updated(c.oid)), 0)::int8,
		coalesce(sum(pg_stat_get_tuples_hot_updated(c.oid)), 0)::int8,
		coalesce(sum(pg_stat_get_live_tuples(c.oid)), 0)::int8,
		coalesce(sum(pg_stat_get_dead_tuples(c.oid)), 0)::int8
	FROM ch.hot_tables() h JOIN pg_class p
		ON p.oid = ('ch.' || h.table_name)::regclass
	LEFT JOIN pg_inherits i ON i.inhparent = p.oid
	JOIN pg_class c ON c.oid = coalesce(i.inhrelid, p.oid)
	WHERE p.relkind = 'r' OR c.relname >= ch.partition_name(h.table_name,
		(now() AT TIME ZONE 'UTC')::date - 1)
	GROUP BY 1, 2, 3, 4
	$$;

-- The ratio of HOT updates since the mark m, when there were enough to tell;
-- before that as it was last computed. Without a mark since ever.
CREATE FUNCTION hot_ratio(updates int8, hot int8, m health_marks)
	RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN s.updates >= 10000 AND s.hot >= 0
			THEN s.hot::numeric / s.updates
		ELSE coalesce(m.hot_ratio, 1) END
	FROM (SELECT updates - coalesce(m.updates, 0) AS updates,
		hot - coalesce(m.hot, 0) AS hot) s
	$$;

-- A mark moves on when the ratio was computed from it, or when the server's
-- counters began anew. Marks of lookers who have gone are removed.
CREATE FUNCTION remember_health(who text) RETURNS void LANGUAGE sql AS $$
	DELETE FROM ch.health_marks m
		WHERE m.looked_at < clock_timestamp() - interval '7 days';
	INSERT INTO ch.health_marks AS m (looker, table_name, seq_scans, updates,
		hot, hot_ratio)
	SELECT who, c.table_name, c.seq_scans, c.updates, c.hot,
		ch.hot_ratio(c.updates, c.hot, NULL)
	FROM ch.hot_counters() c
	ON CONFLICT ON CONSTRAINT health_marks_pkey DO UPDATE
	SET (seq_scans, looked_at, hot_ratio, updates, hot) = (
		SELECT excluded.seq_scans, clock_timestamp(),
			ch.hot_ratio(excluded.updates, excluded.hot, m),
			CASE WHEN k.moves THEN excluded.updates ELSE m.updates END,
			CASE WHEN k.moves THEN excluded.hot ELSE m.hot END
		FROM (SELECT excluded.updates < m.updates
			OR excluded.updates >= m.updates + 10000 AS moves) k)
	$$;

-- One row a thing that was looked at; ok false: act, as mend says. remember
-- false: counters are left as they are (as on a standby).
CREATE FUNCTION health(looker text DEFAULT session_user,
	remember boolean DEFAULT true)
	RETURNS TABLE (name text, subject text, value numeric, threshold numeric,
		ok boolean, mend text)
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp
	SET jit = off AS $$
BEGIN
	PERFORM pg_stat_clear_snapshot();

	-- who holds back vacuum, and so makes each hot row slower by the second
	RETURN QUERY
	SELECT h.name, coalesce(h.subject, ''), h.value, h.threshold, h.ok,
		CASE WHEN NOT h.ok THEN h.mend END
	FROM (
	SELECT 'oldest_snapshot_seconds' AS name, CASE WHEN s.pid IS NOT NULL THEN
			format('pid %s %s %s', s.pid, s.usename, s.application_name) END
			AS subject,
		round(coalesce(s.age, 0), 1) AS value,
		coalesce(s.most, 10)::numeric AS threshold,
		coalesce(s.age <= s.most, true) AS ok,
		format('SELECT pg_terminate_backend(%s), once you know what it is: '
			'it keeps dead rows from being removed', s.pid) AS mend
	FROM (SELECT) one LEFT JOIN LATERAL (
		SELECT a.pid, a.usename, a.application_name, t.age, t.most
		FROM pg_stat_activity a,
		-- the nightly copy of the books holds one as long as it takes
		LATERAL (SELECT extract(epoch FROM clock_timestamp() - a.xact_start)
			AS age, CASE WHEN a.application_name IN ('ledger-writer upkeep',
				'ledger-writer snapshot') THEN 600 ELSE 10 END AS most) t
		-- a number of its own holds back as much as a snapshot
		WHERE (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
		AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
		AND a.backend_type <> 'autovacuum worker'
		ORDER BY t.age / t.most DESC LIMIT 1) s ON true
	UNION ALL
	SELECT 'prepared_transaction_seconds', p.gid,
		round(coalesce(extract(epoch FROM clock_timestamp() - p.prepared), 0),
			1), 10, coalesce(clock_timestamp() - p.prepared <= interval '10 s',
			true), format('nobody here prepares transactions: find out who '
			'did, then ROLLBACK PREPARED %L', p.gid)
	FROM (SELECT) one LEFT JOIN LATERAL (SELECT x.gid, x.prepared
		FROM pg_prepared_xacts x ORDER BY x.prepared LIMIT 1) p ON true
	UNION ALL
	-- a slot of a standby with feedback holds back rows like a snapshot
	SELECT 'slot_xmin_transactions', r.slot_name, age(r.xmin), 1000000,
		age(r.xmin) <= 1000000, format('its standby is away or has a long '
			'query; if it is gone: SELECT pg_drop_replication_slot(%L)',
			r.slot_name)
	FROM pg_replication_slots r WHERE r.xmin IS NOT NULL
	UNION ALL
	SELECT 'slot_wal_bytes', r.slot_name,
		pg_wal_lsn_diff(r.here, r.restart_lsn), 4294967296,
		pg_wal_lsn_diff(r.here, r.restart_lsn) <= 4294967296,
		'start or unblock who reads it (outbox-relay: its /readyz says what '
		'it waits for); max_slot_wal_keep_size bounds the disk'
	FROM (SELECT x.slot_name, x.restart_lsn, CASE WHEN pg_is_in_recovery()
			THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END AS here
		FROM pg_replication_slots x WHERE x.restart_lsn IS NOT NULL) r
	UNION ALL
	SELECT 'lock_wait_seconds', CASE WHEN w.pid IS NOT NULL THEN
			format('pid %s behind %s, %s', w.pid, array_to_string(
			pg_blocking_pids(w.pid), ','), w.locktype) END,
		round(coalesce(extract(epoch FROM clock_timestamp() - w.waitstart), 0),
			1), 1, coalesce(clock_timestamp() - w.waitstart <= interval '1 s',
			true), 'see who it waits for in pg_stat_activity; a writer gives '
			'up after its lock_timeout and tries again'
	FROM (SELECT) one LEFT JOIN LATERAL (SELECT l.pid, l.waitstart, l.locktype
		FROM pg_locks l WHERE NOT l.granted ORDER BY l.waitstart LIMIT 1) w
		ON true
	UNION ALL
	SELECT 'pause_lock_seconds', p.holder,
		round(coalesce(extract(epoch FROM clock_timestamp() - p.since), 0), 1),
		5, coalesce(clock_timestamp() - p.since <= interval '5 s', true),
		'a session that stopped in a pause, or in a batch: no batch is decided '
		'beside the one, no pause made beside the other. ch.pause() and '
		'ch.resume() end it; else a superuser, by pg_terminate_backend'
	FROM (SELECT) one LEFT JOIN LATERAL (SELECT h.holder, h.since
		FROM ch.pause_lock_holders() h ORDER BY h.since LIMIT 1) p ON true
	UNION ALL
	SELECT 'sees_all_sessions', current_user::text,
		pg_has_role(current_user, 'pg_read_all_stats', 'usage')::int4, 1,
		pg_has_role(current_user, 'pg_read_all_stats', 'usage'),
		format('let a superuser run: GRANT pg_read_all_stats TO %I, else '
			'snapshots of other roles are not seen', current_user)
	UNION ALL
	SELECT 'writer_passes_row_security', 'ch_writer',
		(r.rolbypassrls OR r.rolsuper)::int4, 1,
		r.rolbypassrls OR r.rolsuper OR NOT r.rolcanlogin,
		'let a superuser run: ALTER ROLE ch_writer BYPASSRLS, else its COPY '
		'is refused'
	FROM pg_catalog.pg_roles r WHERE r.rolname = 'ch_writer'
	UNION ALL
	SELECT 'missing_partitions', t.table_name, count(*) FILTER (
			WHERE NOT ch.has_partition(t.table_name, d::date)), 0,
		bool_and(ch.has_partition(t.table_name, d::date)),
		'SELECT ch.ensure_partitions(): the writer makes them by itself, so '
		'look at its log for why it does not'
	FROM ch.retention t, generate_series((now() AT TIME ZONE 'UTC')::date,
		(now() AT TIME ZONE 'UTC')::date + 1, interval '1 day') AS d
	GROUP BY t.table_name
	UNION ALL
	-- upkeep, which is somebody's job of each night: before there is a snapshot,
	-- counted from the day after the first
	SELECT 'books_snapshot_seconds', coalesce('snapshot ' || s.snapshot_id,
			'no verified snapshot'),
		round(extract(epoch FROM k.age), 1), 172800,
		k.age <= interval '2 days',
		'ledger-writer upkeep takes and verifies one each night: see why it '
		'did not (docs/operator.md, Upkeep)'
	FROM (SELECT) one LEFT JOIN LATERAL (SELECT x.snapshot_id, x.taken_at
		FROM ch.snapshots x WHERE x.verified_at IS NOT NULL
		ORDER BY x.snapshot_id DESC LIMIT 1) s ON true,
	LATERAL (SELECT greatest(clock_timestamp() - coalesce(s.taken_at,
		(SELECT (r.first_day + 1)::timestamp AT TIME ZONE 'UTC'
		FROM ch.retention r WHERE r.table_name = 'command_log')), interval '0') AS age) k
	UNION ALL
	SELECT 'overdue_days', t.table_name, count(c.oid), 0, count(c.oid) = 0,
		format('ledger-writer upkeep drops them each night; why they stay: '
			'SELECT day, why_not, mend FROM ch.retention_status() '
			'WHERE table_name = %L AND NOT may_go', t.table_name)
	FROM ch.retention t
	LEFT JOIN pg_inherits i
		ON i.inhparent = ('ch.' || quote_ident(t.table_name))::regclass
	LEFT JOIN pg_class c ON c.oid = i.inhrelid AND c.relname < ch.partition_name(
		t.table_name, (now() AT TIME ZONE 'UTC')::date - t.keep_days - 2)
	GROUP BY t.table_name
	UNION ALL
	-- Of the last ten thousand updates or more: a snapshot of a second fills the
	-- pages of the few hottest rows for a while (0.78 was seen over 5,000
	-- updates of a healthy fleet). An index on a changed column makes it 0.
	SELECT 'hot_update_ratio', c.table_name, round(n.ratio, 3), 0.7,
		n.ratio >= 0.7, format('an index on a changed '
			'column, or no room in the pages: see the fillfactor of ch.%s, and '
			'who holds the oldest snapshot', c.table_name)
	FROM ch.hot_counters() c LEFT JOIN ch.health_marks m
		ON m.looker = health.looker AND m.table_name = c.table_name,
	LATERAL (SELECT ch.hot_ratio(c.updates, c.hot, m) AS ratio) n
	WHERE c.can_be_hot
	UNION ALL
	SELECT 'dead_rows', c.table_name, c.dead, c.dead_limit + c.live / 5,
		c.dead <= c.dead_limit + c.live / 5, format('autovacuum does not keep '
			'up with ch.%s: who holds the oldest snapshot? else VACUUM it',
			c.table_name)
	FROM ch.hot_counters() c WHERE c.updated
	UNION ALL
	-- A second, since the last look. A plan that has turned scans for each
	-- batch; the reconciler's checks, a person's queries and snapshots scan now
	-- and then. In a small table scans are right; of a large one they take so
	-- long that there cannot be many.
	SELECT 'sequential_scans', c.table_name, CASE WHEN c.live < 10000 THEN 0
			ELSE round(n.a_second, 2) END, round(n.most, 2),
		c.live < 10000 OR n.a_second <= n.most,
		format('ANALYZE ch.%1$s, then look at the plans in pg_stat_statements '
			'or by auto_explain; check_* views and snapshots scan too',
			c.table_name)
	FROM ch.hot_counters() c LEFT JOIN ch.health_marks m
		ON m.looker = health.looker AND m.table_name = c.table_name,
	LATERAL (SELECT coalesce(greatest(c.seq_scans - m.seq_scans, 0)
		/ greatest(extract(epoch FROM clock_timestamp() - m.looked_at), 10),
		0)::numeric AS a_second,
		greatest(0.5, least(5, 1000000.0 / greatest(c.live, 1))) AS most) n
	) h;

	IF remember AND NOT pg_is_in_recovery() THEN
		PERFORM ch.remember_health(looker);
	END IF;
END $$;
REVOKE ALL ON FUNCTION hot_counters, hot_ratio, remember_health, health
	FROM PUBLIC;
GRANT EXECUTE ON FUNCTION health TO ch_writer, ch_reconciler, ch_operator;

COMMIT;
