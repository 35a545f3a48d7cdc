-- Deploy countinghouse:snapshots to pg
-- The state of the books at one vector of offsets, from which the log is
-- replayed. Typed tables, since at 100,000 accounts a copy of accounts and
-- balances took 0.6 s and 17 MB (25 MB with keys), as jsonb 1.8 s and 45 MB.

BEGIN;
SET LOCAL search_path = ch;

-- batch_high: the last number drawn, read after the MVCC snapshot began; xid
-- was drawn after that. So a batch above batch_high is not in the snapshot,
-- and once every xid up to xid has ended, a batch up to batch_high is in it
-- or among those that the log shows at or past the vector (batches_out).
CREATE TABLE snapshots (
	snapshot_id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	taken_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	actor       text NOT NULL CHECK (actor <> ''),
	reason      text NOT NULL CHECK (reason <> ''),
	batch_high  int8 NOT NULL,
	xid         xid8 NOT NULL,
	lsn         pg_lsn NOT NULL,
	verified_at timestamptz,          -- NULL: not compared with postings yet
	verified_by text,
	base_id     int8,                 -- verified on top of; NULL: from nothing
	batches_out int8[]                -- drawn by then, committed afterwards
);

-- The vector: everything before next_offset and next_log_seq is in.
CREATE TABLE snapshot_streams (
	snapshot_id  int8 NOT NULL REFERENCES snapshots,
	stream       int4 NOT NULL,
	topic        text NOT NULL,
	part         int4 NOT NULL,
	next_offset  int8 NOT NULL,
	next_log_seq int8 NOT NULL,
	last_at      timestamptz NOT NULL,
	cluster_id   text NOT NULL,
	topic_id     text NOT NULL,
	PRIMARY KEY (snapshot_id, stream)
);

-- Sums of the postings whose days were dropped, so that a balance is still
-- the sum of all its postings.
CREATE TABLE sealed_postings (
	org_id     int4 NOT NULL,
	account_id int8 NOT NULL,
	shard      int2 NOT NULL,
	posted     numeric NOT NULL,
	n          int8 NOT NULL,
	through    date NOT NULL,
	PRIMARY KEY (org_id, account_id, shard)
);
ALTER TABLE sealed_postings ENABLE ROW LEVEL SECURITY;
CREATE POLICY services ON sealed_postings TO ch_writer, ch_relay,
	ch_reconciler, ch_cache, ch_operator USING (true) WITH CHECK (true);
CREATE POLICY readers ON sealed_postings FOR SELECT TO ch_reader USING (
	org_id = ANY ((SELECT ch.readable_orgs(current_user))::int4[]));
GRANT SELECT ON sealed_postings TO ch_reconciler, ch_operator, ch_reader;

-- What is copied, parents first, and its key. snapshot_<table> has the
-- columns of <table> behind snapshot_id, in the same order.
CREATE FUNCTION snapshot_tables() RETURNS TABLE (table_name text, key text)
	LANGUAGE sql IMMUTABLE ROWS 17 AS $$
	VALUES ('orgs', 'org_id'), ('assets', 'org_id, name'),
		('accounts', 'org_id, account_id'),
		('balances', 'org_id, account_id, shard'),
		('skus', 'org_id, sku_id'), ('stock', 'org_id, sku_id'),
		('reservations', 'org_id, reservation_id'),
		('holds', 'org_id, hold_id'),
		('reversals', 'org_id, transfer_id, member'),
		('orders', 'org_id, order_id'),
		('order_fills', 'org_id, order_id, fill'),
		('ledger_markets', 'org_id, market_id'),
		('positions', 'org_id, position_id'),
		('own_trades', 'org_id, tx'), ('rate_rules', 'rule_id'),
		('rate_windows', 'org_id, rule_id, subject'), ('pauses', 'scope')
	$$;

DO $$
DECLARE
	t record;
BEGIN
	FOR t IN SELECT * FROM ch.snapshot_tables() LOOP
		EXECUTE format('CREATE TABLE ch.%I (snapshot_id int8 NOT NULL, '
			'LIKE ch.%I, PRIMARY KEY (snapshot_id, %s))',
			'snapshot_' || t.table_name, t.table_name, t.key);
		EXECUTE format('ALTER TABLE ch.%I ENABLE ROW LEVEL SECURITY',
			'snapshot_' || t.table_name);
		EXECUTE format('CREATE POLICY services ON ch.%I TO ch_writer, '
			'ch_relay, ch_reconciler, ch_cache, ch_operator '
			'USING (true) WITH CHECK (true)',
			'snapshot_' || t.table_name);
		EXECUTE format('GRANT SELECT ON ch.%I TO ch_reconciler, ch_operator',
			'snapshot_' || t.table_name);
	END LOOP;
END $$;
GRANT SELECT ON snapshots, snapshot_streams TO ch_reconciler, ch_operator;

-- Copies the books in one statement, hence in one MVCC snapshot, whatever the
-- caller's isolation level. The caller's transaction must not have written
-- yet, and should end at once: its snapshot holds back vacuum. dry_run counts
-- and copies nothing.
CREATE FUNCTION take_snapshot(actor text, reason text,
	dry_run boolean DEFAULT false)
	RETURNS TABLE (snapshot_id int8, table_name text, row_count int8)
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
DECLARE
	copies text;
	counts text;
BEGIN
	PERFORM ch.insist_who_and_why('take_snapshot', actor, reason);
	IF dry_run THEN
		FOR table_name IN SELECT t.table_name FROM ch.snapshot_tables() t LOOP
			EXECUTE format('SELECT count(*) FROM ch.%I', table_name)
				INTO row_count;
			RETURN NEXT;
		END LOOP;
		RETURN;
	END IF;
	IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
		RAISE EXCEPTION 'take_snapshot() must come before any other write of '
			'its transaction' USING ERRCODE = 'active_sql_transaction', HINT =
			'which batches are in the snapshot is told by an xid drawn in it';
	END IF;
	SELECT string_agg(format(', %1$I AS (INSERT INTO ch.%2$I '
			'SELECT s.snapshot_id, t.* FROM s, ch.%3$I t RETURNING 1)',
			'c_' || t.table_name, 'snapshot_' || t.table_name,
			t.table_name), ''),
		string_agg(format('UNION ALL SELECT %s, %L, (SELECT count(*) FROM %I)',
			t.o, t.table_name, 'c_' || t.table_name), ' ')
	INTO copies, counts
	FROM ch.snapshot_tables() WITH ORDINALITY AS t (table_name, key, o);
	-- the number first, the xid after it: every INSERT waits for the mark
	RETURN QUERY EXECUTE
		'WITH b AS MATERIALIZED (SELECT coalesce(pg_sequence_last_value('
		'''ch.batch_seq''::regclass), 0) AS high), '
		'mark AS MATERIALIZED (SELECT high, CASE WHEN high IS NOT NULL '
		'THEN pg_current_xact_id() END AS xid FROM b), '
		's AS (INSERT INTO ch.snapshots (actor, reason, batch_high, xid, lsn) '
		'SELECT $1, $2, high, xid, pg_current_wal_insert_lsn() FROM mark '
		'RETURNING snapshot_id), '
		'v AS (INSERT INTO ch.snapshot_streams SELECT s.snapshot_id, c.stream, '
		'c.topic, c.part, c.next_offset, c.next_log_seq, c.last_at, '
		'c.cluster_id, c.topic_id FROM s, ch.consumer_partitions c '
		'RETURNING 1)' || copies ||
		' SELECT s.snapshot_id, n.what, n.rows FROM s, ('
		'SELECT 0::int8 AS o, ''consumer_partitions'' AS what, '
		'(SELECT count(*) FROM v) AS rows ' || counts || ') n ORDER BY n.o'
		USING actor, reason;
	INSERT INTO ch.audit_events (actor, action, subject, reason, after)
	SELECT s.actor, 'take_snapshot', s.snapshot_id::text, s.reason,
		to_jsonb(s) FROM ch.snapshots s WHERE s.snapshot_id = currval(
			pg_get_serial_sequence('ch.snapshots', 'snapshot_id'));
END $$;

-- Batches numbered up to the snapshot's that committed after it: what the log
-- shows at or past the vector. Numbers rise within a stream.
CREATE FUNCTION snapshot_batches_out(of_snapshot int8) RETURNS int8[]
	LANGUAGE sql STABLE SET enable_seqscan = off AS $$
	SELECT coalesce(array_agg(DISTINCT l.batch), '{}')
	FROM ch.snapshots s, ch.consumer_partitions c
	LEFT JOIN ch.snapshot_streams v
		ON v.stream = c.stream AND v.snapshot_id = of_snapshot,
	LATERAL (SELECT coalesce((SELECT n.log_seq FROM ch.command_log n
		WHERE n.stream = c.stream AND n.log_seq >= coalesce(v.next_log_seq, 1)
		AND n.batch > s.batch_high ORDER BY n.log_seq LIMIT 1),
		9223372036854775807) AS log_seq) later,
	LATERAL (SELECT n.batch FROM ch.command_log n
		WHERE n.stream = c.stream AND n.log_seq >= coalesce(v.next_log_seq, 1)
		AND n.log_seq < later.log_seq AND n.batch <= s.batch_high) l
	WHERE s.snapshot_id = of_snapshot
	$$;

-- What each balance of the snapshot must be by its postings: of the verified
-- snapshot `base` and the postings since, or of all postings (NULL).
CREATE FUNCTION snapshot_posted(of_snapshot int8, base int8, out_now int8[])
	RETURNS TABLE (org_id int4, account_id int8, shard int2, posted numeric)
	LANGUAGE plpgsql STABLE AS $$
DECLARE
	high  int8;
	below int8;
	late  int8[];
BEGIN
	SELECT s.batch_high INTO high FROM ch.snapshots s
		WHERE s.snapshot_id = of_snapshot;
	IF base IS NULL THEN
		RETURN QUERY SELECT u.org_id, u.account_id, u.shard, sum(u.posted)
		FROM (SELECT p.org_id, p.account_id, p.shard, sum(p.amount) AS posted
			FROM ch.postings p
			WHERE p.batch <= high AND p.batch <> ALL (out_now)
			GROUP BY 1, 2, 3
			UNION ALL SELECT s.org_id, s.account_id, s.shard, s.posted
			FROM ch.sealed_postings s) u GROUP BY 1, 2, 3;
		RETURN;
	END IF;
	SELECT s.batch_high, s.batches_out INTO below, late FROM ch.snapshots s
		WHERE s.snapshot_id = base;
	RETURN QUERY SELECT u.org_id, u.account_id, u.shard, sum(u.posted) FROM (
		SELECT b.org_id, b.account_id, b.shard, b.balance::numeric AS posted
		FROM ch.snapshot_balances b WHERE b.snapshot_id = base
		UNION ALL
		SELECT s.org_id, s.account_id, s.shard, s.posted
		FROM ch.posting_sums(below, high, 'epoch') s
		UNION ALL
		SELECT s.org_id, s.account_id, s.shard, s.posted
		FROM unnest(late) AS n, LATERAL ch.posting_sums(n - 1, n, 'epoch') s
		UNION ALL
		SELECT s.org_id, s.account_id, s.shard, -s.posted
		FROM unnest(out_now) AS n, LATERAL ch.posting_sums(n - 1, n, 'epoch') s
		) u GROUP BY 1, 2, 3;
END $$;

-- Compares a snapshot with the postings and its parts with one another, and
-- marks it verified when nothing differs (no row returned). Goes on from the
-- last verified snapshot before it, unless from_nothing. dry_run marks nothing.
-- reason: why it was asked for, where there is more to say than the outcome.
CREATE FUNCTION verify_snapshot(id int8, actor text,
	from_nothing boolean DEFAULT false, dry_run boolean DEFAULT false,
	reason text DEFAULT NULL)
	RETURNS TABLE (what text, org text, subject text, expected numeric,
		found numeric)
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
DECLARE
	snap   ch.snapshots;
	base   int8;
	late   int8[];
	broken int8;
BEGIN
	IF coalesce(actor, '') = '' THEN
		RAISE EXCEPTION 'verify_snapshot() needs an actor'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	SELECT * INTO snap FROM ch.snapshots s WHERE s.snapshot_id = id;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no snapshot %', id
			USING ERRCODE = 'no_data_found';
	END IF;
	IF pg_snapshot_xmin(pg_current_snapshot()) <= snap.xid THEN
		RAISE EXCEPTION 'transactions that ran when snapshot % was taken run '
			'still: the oldest is %, needed is one after %', id,
			pg_snapshot_xmin(pg_current_snapshot()), snap.xid
			USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'try again; pg_stat_activity.backend_xid says who it is';
	END IF;
	IF NOT from_nothing THEN
		SELECT max(s.snapshot_id) INTO base FROM ch.snapshots s
		WHERE s.snapshot_id < id AND s.verified_at IS NOT NULL;
	END IF;
	late := ch.snapshot_batches_out(id);
	RETURN QUERY
	SELECT 'balance', coalesce(o.name, '#' || w.org_id),
		coalesce(a.name, '#' || w.account_id) ||
			CASE w.shard WHEN 0 THEN '' ELSE '#' || w.shard END,
		w.posted, w.balance
	FROM (SELECT b.balance::numeric, coalesce(p.posted, 0) AS posted,
			coalesce(b.org_id, p.org_id) AS org_id,
			coalesce(b.account_id, p.account_id) AS account_id,
			coalesce(b.shard, p.shard) AS shard
		FROM (SELECT * FROM ch.snapshot_balances x WHERE x.snapshot_id = id) b
		FULL JOIN ch.snapshot_posted(id, base, late) p
			ON (p.org_id, p.account_id, p.shard) =
				(b.org_id, b.account_id, b.shard)
		WHERE b.balance IS DISTINCT FROM coalesce(p.posted, 0)) w
	LEFT JOIN ch.snapshot_accounts a ON a.snapshot_id = id
		AND a.org_id = w.org_id AND a.account_id = w.account_id
	LEFT JOIN ch.snapshot_orgs o ON o.snapshot_id = id AND o.org_id = w.org_id
	UNION ALL
	SELECT 'held', coalesce(o.name, '#' || w.org_id),
		coalesce(a.name, '#' || w.account_id), w.owed, w.held
	FROM (SELECT u.org_id, u.account_id, sum(u.owed) AS owed,
			sum(u.held) AS held
		FROM (SELECT b.org_id, b.account_id, 0::numeric AS owed,
				b.held::numeric AS held
			FROM ch.snapshot_balances b WHERE b.snapshot_id = id
			UNION ALL SELECT h.org_id, h.account_id, h.amount, 0
			FROM ch.snapshot_holds h
			WHERE h.snapshot_id = id AND h.state = 'held'
			UNION ALL SELECT p.org_id, p.account_id, p.lock, 0
			FROM ch.snapshot_positions p WHERE p.snapshot_id = id
			UNION ALL SELECT m.org_id, m.payer_id,
				m.reserved::numeric - m.paid - m.unpaid, 0
			FROM ch.snapshot_ledger_markets m
			WHERE m.snapshot_id = id AND m.state = 'settling') u
		GROUP BY 1, 2 HAVING sum(u.owed) <> sum(u.held)) w
	LEFT JOIN ch.snapshot_accounts a ON a.snapshot_id = id
		AND a.org_id = w.org_id AND a.account_id = w.account_id
	LEFT JOIN ch.snapshot_orgs o ON o.snapshot_id = id AND o.org_id = w.org_id
	UNION ALL
	SELECT 'reserved', coalesce(o.name, '#' || w.org_id),
		coalesce(k.name, '#' || w.sku_id), w.asked, w.reserved
	FROM (SELECT u.org_id, u.sku_id, sum(u.asked) AS asked,
			sum(u.reserved) AS reserved
		FROM (SELECT s.org_id, s.sku_id, 0::numeric AS asked,
				s.reserved::numeric AS reserved
			FROM ch.snapshot_stock s WHERE s.snapshot_id = id
			UNION ALL SELECT r.org_id, r.sku_id, r.qty, 0
			FROM ch.snapshot_reservations r
			WHERE r.snapshot_id = id AND r.state = 'reserved') u
		GROUP BY 1, 2 HAVING sum(u.asked) <> sum(u.reserved)) w
	LEFT JOIN ch.snapshot_skus k ON k.snapshot_id = id
		AND k.org_id = w.org_id AND k.sku_id = w.sku_id
	LEFT JOIN ch.snapshot_orgs o ON o.snapshot_id = id AND o.org_id = w.org_id
	UNION ALL
	SELECT 'filled', coalesce(o.name, '#' || w.org_id),
		coalesce(r.name, '#' || w.order_id), w.fills, w.filled
	FROM (SELECT u.org_id, u.order_id, sum(u.fills) AS fills,
			sum(u.filled) AS filled
		FROM (SELECT r.org_id, r.order_id, 0::numeric AS fills,
				r.filled::numeric AS filled
			FROM ch.snapshot_orders r WHERE r.snapshot_id = id
			UNION ALL SELECT f.org_id, f.order_id, f.qty, 0
			FROM ch.snapshot_order_fills f WHERE f.snapshot_id = id) u
		GROUP BY 1, 2 HAVING sum(u.fills) <> sum(u.filled)) w
	LEFT JOIN ch.snapshot_orders r ON r.snapshot_id = id
		AND r.org_id = w.org_id AND r.order_id = w.order_id
	LEFT JOIN ch.snapshot_orgs o ON o.snapshot_id = id AND o.org_id = w.org_id
	UNION ALL
	SELECT 'paid', coalesce(o.name, '#' || w.org_id),
		coalesce(m.name, '#' || w.market_id), w.got, w.paid
	FROM (SELECT u.org_id, u.market_id, sum(u.got) AS got, sum(u.paid) AS paid
		FROM (SELECT m.org_id, m.market_id, 0::numeric AS got,
				m.paid::numeric AS paid
			FROM ch.snapshot_ledger_markets m WHERE m.snapshot_id = id
			UNION ALL SELECT p.org_id, p.market_id, coalesce(p.paid, 0), 0
			FROM ch.snapshot_positions p WHERE p.snapshot_id = id) u
		GROUP BY 1, 2 HAVING sum(u.got) <> sum(u.paid)) w
	LEFT JOIN ch.snapshot_ledger_markets m ON m.snapshot_id = id
		AND m.org_id = w.org_id AND m.market_id = w.market_id
	LEFT JOIN ch.snapshot_orgs o ON o.snapshot_id = id AND o.org_id = w.org_id;
	GET DIAGNOSTICS broken = ROW_COUNT;
	IF dry_run THEN
		RETURN;
	END IF;
	IF broken = 0 THEN
		UPDATE ch.snapshots s SET verified_at = clock_timestamp(),
			verified_by = verify_snapshot.actor, base_id = base, batches_out = late
		WHERE s.snapshot_id = id;
	END IF;
	INSERT INTO ch.audit_events (actor, action, subject, reason, after)
	VALUES (actor, 'verify_snapshot', id::text,
		coalesce(nullif(reason, ''), CASE broken
			WHEN 0 THEN 'it agrees with the postings'
			ELSE 'it does not agree with the postings' END),
		jsonb_build_object('base', base, 'differences', broken));
END $$;

-- Removes a snapshot. The newest verified one stays, since the log may have
-- been dropped up to it.
CREATE FUNCTION drop_snapshot(id int8, actor text, reason text,
	dry_run boolean DEFAULT false) RETURNS int8
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
DECLARE
	newest int8;
	old    jsonb;
	n      int8;
	gone   int8 := 0;
	t      text;
BEGIN
	PERFORM ch.insist_who_and_why('drop_snapshot', actor, reason);
	SELECT to_jsonb(s) INTO old FROM ch.snapshots s
		WHERE s.snapshot_id = id FOR UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no snapshot %', id
			USING ERRCODE = 'no_data_found';
	END IF;
	SELECT max(s.snapshot_id) INTO newest FROM ch.snapshots s
		WHERE s.verified_at IS NOT NULL;
	IF id = newest THEN
		RAISE EXCEPTION 'snapshot % is the newest verified one: replay begins '
			'there', id USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'take and verify a newer one first';
	END IF;
	FOR t IN SELECT 'snapshot_' || s.table_name FROM ch.snapshot_tables() s
		UNION ALL SELECT 'snapshot_streams' LOOP
		IF dry_run THEN
			EXECUTE format('SELECT count(*) FROM ch.%I WHERE snapshot_id = $1',
				t) INTO n USING id;
		ELSE
			EXECUTE format('DELETE FROM ch.%I WHERE snapshot_id = $1', t)
				USING id;
			GET DIAGNOSTICS n = ROW_COUNT;
		END IF;
		gone := gone + n;
	END LOOP;
	IF NOT dry_run THEN
		DELETE FROM ch.snapshots s WHERE s.snapshot_id = id;
		INSERT INTO ch.audit_events (actor, action, subject, reason, before)
		VALUES (actor, 'drop_snapshot', id::text, reason, old);
	END IF;
	RETURN gone;
END $$;
REVOKE ALL ON FUNCTION take_snapshot, verify_snapshot, drop_snapshot,
	snapshot_batches_out, snapshot_posted FROM PUBLIC;
GRANT EXECUTE ON FUNCTION take_snapshot, verify_snapshot
	TO ch_operator, ch_reconciler;
GRANT EXECUTE ON FUNCTION drop_snapshot TO ch_operator;

COMMIT;
