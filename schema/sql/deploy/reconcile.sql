-- Deploy countinghouse:reconcile to pg
-- The invariants of the books as views that anybody with the right can run by
-- hand (each returns only what is wrong: no row, no break), the breaks that
-- the reconciler found, and how far it has verified.

BEGIN;
SET LOCAL search_path = ch;

-- Postings are written roughly in the order of their batch: the index costs
-- the writer next to nothing and finds the newest without reading a day.
CREATE INDEX postings_batch ON postings USING brin (batch)
	WITH (pages_per_range = 16, autosummarize = on);

CREATE FUNCTION org_name(org int4) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT coalesce((SELECT name FROM ch.orgs WHERE org_id = org),
		'#' || org)
	$$;
CREATE FUNCTION account_name(org int4, account int8) RETURNS text
	LANGUAGE sql STABLE AS $$
	SELECT coalesce((SELECT name FROM ch.accounts
		WHERE org_id = org AND account_id = account), '#' || account)
	$$;
CREATE FUNCTION sku_name(org int4, sku int8) RETURNS text
	LANGUAGE sql STABLE AS $$
	SELECT coalesce((SELECT name FROM ch.skus
		WHERE org_id = org AND sku_id = sku), '#' || sku)
	$$;

-- The break of one account. Shards are rows of their own.
CREATE FUNCTION account_subject(org int4, account int8, shard int2)
	RETURNS text LANGUAGE sql STABLE AS $$
	SELECT ch.account_name(org, account) ||
		CASE WHEN shard = 0 THEN '' ELSE '#' || shard END
	$$;

-- Sums of the postings of batches in (low, high]. The planner has no
-- statistics of today's partition and would read all of it, or all of the
-- accounts' index: hence the SETs, which leave it postings_batch.
CREATE FUNCTION posting_sums(low int8, high int8, since timestamptz)
	RETURNS TABLE (org_id int4, account_id int8, shard int2,
		posted numeric, n int8)
	LANGUAGE sql STABLE ROWS 1000
	SET enable_seqscan = off SET enable_indexscan = off AS $$
	SELECT p.org_id, p.account_id, p.shard, sum(p.amount), count(*)
	FROM ch.postings p
	WHERE p.batch > low AND p.batch <= high AND p.decided_at >= since
	GROUP BY p.org_id, p.account_id, p.shard
	$$;
CREATE FUNCTION posting_rows(low int8, high int8, since timestamptz)
	RETURNS TABLE (org_id int4, account_id int8, batch int8, pos int4,
		command_id uuid, amount int8)
	LANGUAGE sql STABLE ROWS 1000
	SET enable_seqscan = off SET enable_indexscan = off AS $$
	SELECT p.org_id, p.account_id, p.batch, p.pos, p.command_id, p.amount
	FROM ch.postings p
	WHERE p.batch > low AND p.batch <= high AND p.decided_at >= since
	$$;

-- Transfers of batches in (low, high] whose postings do not sum to zero.
-- A posting of an account that does not exist has the asset '?'.
CREATE FUNCTION transfers_unbalanced(low int8, high int8, since timestamptz)
	RETURNS TABLE (org_id int4, batch int8, pos int4, command_id uuid,
		asset text, total numeric)
	LANGUAGE sql STABLE ROWS 10 AS $$
	SELECT p.org_id, p.batch, p.pos, p.command_id, coalesce(a.asset, '?'),
		sum(p.amount)
	FROM ch.posting_rows(low, high, since) p
	LEFT JOIN ch.accounts a USING (org_id, account_id)
	GROUP BY 1, 2, 3, 4, 5 HAVING sum(p.amount) <> 0
	$$;

-- Each transfer's postings sum to zero per asset.
CREATE VIEW check_transfers AS
	SELECT format('transfers/%s/%s/%s', ch.org_name(org_id), command_id,
			asset) AS break_key,
		ch.org_name(org_id) AS org, command_id::text AS subject,
		0::numeric AS expected, total AS found, total AS difference,
		batch AS low, batch AS high
	FROM (SELECT p.org_id, p.batch, p.command_id,
			coalesce(a.asset, '?') AS asset, sum(p.amount) AS total
		FROM ch.postings p LEFT JOIN ch.accounts a USING (org_id, account_id)
		GROUP BY 1, 2, 3, 4 HAVING sum(p.amount) <> 0) t;

-- Each balance equals the sum of its postings, and each account has one.
CREATE VIEW check_balances AS
	SELECT format('balances/%s/%s', ch.org_name(org_id),
			ch.account_subject(org_id, account_id, shard)) AS break_key,
		ch.org_name(org_id) AS org,
		ch.account_subject(org_id, account_id, shard) AS subject,
		coalesce(p.posted, 0) AS expected, b.balance::numeric AS found,
		coalesce(b.balance, 0) - coalesce(p.posted, 0) AS difference,
		NULL::int8 AS low, NULL::int8 AS high
	FROM ch.balances b FULL JOIN (
		SELECT org_id, account_id, shard, sum(amount) AS posted
		FROM ch.postings GROUP BY 1, 2, 3) p
		USING (org_id, account_id, shard)
	WHERE b.balance IS DISTINCT FROM coalesce(p.posted, 0);

-- Nothing is negative, no more is reserved than there is, and what is
-- reserved is what the open reservations say.
CREATE VIEW check_stock AS
	SELECT format('stock/%s/%s/%s', ch.org_name(org_id),
			ch.sku_name(org_id, sku_id), kind) AS break_key,
		ch.org_name(org_id) AS org,
		ch.sku_name(org_id, sku_id) || ' ' || kind AS subject,
		expected, found, coalesce(found, 0) - expected AS difference,
		NULL::int8 AS low, NULL::int8 AS high
	FROM (
		SELECT org_id, sku_id, 'reserved' AS kind,
			coalesce(r.qty, 0) AS expected, s.reserved::numeric AS found
		FROM ch.stock s FULL JOIN (
			SELECT org_id, sku_id, sum(qty) AS qty FROM ch.reservations
			WHERE state = 'reserved' GROUP BY 1, 2) r
			USING (org_id, sku_id)
		WHERE s.reserved IS DISTINCT FROM coalesce(r.qty, 0)
		UNION ALL
		SELECT org_id, sku_id, 'on_hand', greatest(reserved, 0), on_hand
		FROM ch.stock WHERE on_hand < reserved OR on_hand < 0
		UNION ALL
		SELECT org_id, sku_id, 'negative', 0, reserved
		FROM ch.stock WHERE reserved < 0
	) s;

-- Each account keeps its floor after what is held, and holds nothing negative.
CREATE VIEW check_floors AS
	SELECT format('floors/%s/%s', ch.org_name(org_id),
			ch.account_subject(org_id, account_id, shard)) AS break_key,
		ch.org_name(org_id) AS org,
		ch.account_subject(org_id, account_id, shard) AS subject,
		CASE WHEN held < 0 THEN 0 ELSE floor END::numeric AS expected,
		CASE WHEN held < 0 THEN held::numeric
			ELSE balance::numeric - held END AS found,
		CASE WHEN held < 0 THEN held::numeric
			ELSE balance::numeric - held - floor END AS difference,
		NULL::int8 AS low, NULL::int8 AS high
	FROM ch.balances
	WHERE held < 0 OR balance::numeric - held < floor;

-- How far the log of each stream has been verified. Rows up to base have been
-- retired with their partitions and are not expected any more.
CREATE TABLE reconcile_streams (
	stream   int4 PRIMARY KEY,
	base     int8 NOT NULL DEFAULT 0,
	verified int8 NOT NULL DEFAULT 0 CHECK (verified >= base),
	again    int8 NOT NULL DEFAULT 0  -- the same, of a full verification
);

-- What is wrong among the rows low < log_seq <= high of one stream: a run of
-- missing numbers (expected n rows, found none), or a number given twice.
CREATE FUNCTION log_seq_breaks(of_stream int4, low int8, high int8)
	RETURNS TABLE (first int8, last int8, expected numeric, found numeric)
	LANGUAGE sql STABLE ROWS 10 SET enable_seqscan = off
	SET max_parallel_workers_per_gather = 0 AS $$
	WITH seen AS (
		SELECT log_seq FROM ch.command_log
		WHERE stream = of_stream AND log_seq > low AND log_seq <= high
		UNION ALL SELECT log_seq FROM ch.answers
		WHERE stream = of_stream AND log_seq > low AND log_seq <= high
		UNION ALL SELECT log_seq FROM ch.rejected
		WHERE stream = of_stream AND log_seq > low AND log_seq <= high
		UNION ALL SELECT low UNION ALL SELECT high + 1
	), pairs AS (
		SELECT log_seq, lead(log_seq) OVER (ORDER BY log_seq) AS next
		FROM seen
	)
	SELECT log_seq + 1, next - 1, (next - 1 - log_seq)::numeric, 0::numeric
	FROM pairs WHERE next > log_seq + 1
	UNION ALL
	SELECT log_seq, log_seq, 1, count(*) + 1
	FROM pairs WHERE next = log_seq AND log_seq > low AND log_seq <= high
	GROUP BY log_seq
	$$;

-- Rows of the log that next_log_seq does not know of (yet): at most the first
-- hundred of each table. It runs once a second for each stream and finds
-- nothing, so it must stay a probe at the end of the indexes, whatever the
-- planner thinks of the number of rows behind `next`.
CREATE FUNCTION log_seq_beyond(of_stream int4, next int8)
	RETURNS TABLE (first int8, last int8, n int8)
	LANGUAGE sql STABLE ROWS 1 SET enable_seqscan = off
	SET enable_bitmapscan = off SET enable_sort = off
	SET max_parallel_workers_per_gather = 0 AS $$
	SELECT min(log_seq), max(log_seq), count(*) FROM (
		(SELECT log_seq FROM ch.command_log
		WHERE stream = of_stream AND log_seq >= next
		ORDER BY log_seq LIMIT 100)
		UNION ALL (SELECT log_seq FROM ch.answers
		WHERE stream = of_stream AND log_seq >= next
		ORDER BY log_seq LIMIT 100)
		UNION ALL (SELECT log_seq FROM ch.rejected
		WHERE stream = of_stream AND log_seq >= next
		ORDER BY log_seq LIMIT 100)) s
	HAVING count(*) > 0
	$$;

-- Each stream's log numbers its rows without a gap up to next_log_seq.
CREATE VIEW check_log_seq AS
	SELECT format('log_seq/%s/%s', c.stream, g.first) AS break_key,
		''::text AS org, format('%s-%s %s..%s', c.topic, c.part, g.first,
			g.last) AS subject,
		g.expected, g.found, g.found - g.expected AS difference,
		g.first AS low, g.last AS high
	FROM ch.consumer_partitions c
	LEFT JOIN ch.reconcile_streams r USING (stream),
	LATERAL (
		SELECT b.first, b.last, b.expected, b.found
		FROM ch.log_seq_breaks(c.stream, coalesce(r.base, 0),
			c.next_log_seq - 1) b
		UNION ALL
		SELECT b.first, b.last, 0, b.n
		FROM ch.log_seq_beyond(c.stream, c.next_log_seq) b
	) g;

-- What the reconciler found. A break is one row for ever: it is resolved,
-- never deleted, and opened again when it comes back. Amounts in minor units.
CREATE TABLE breaks (
	break_key   text PRIMARY KEY,
	check_name  text NOT NULL,
	org         text NOT NULL,         -- '': no organisation of its own
	subject     text NOT NULL,
	expected    numeric NOT NULL,
	found       numeric,               -- NULL: the row is missing
	difference  numeric NOT NULL,
	low         int8,                  -- batches or log_seqs to look at again
	high        int8,
	first_seen  timestamptz NOT NULL DEFAULT clock_timestamp(),
	last_seen   timestamptz NOT NULL DEFAULT clock_timestamp(),
	state       text NOT NULL DEFAULT 'open'
		CHECK (state IN ('open', 'resolved')),
	resolved_at timestamptz,
	times       int4 NOT NULL DEFAULT 1, -- how often it was opened
	pause       int8                   -- number of the pause it led to
);
CREATE INDEX breaks_open ON breaks (check_name, last_seen)
	WHERE state = 'open';

-- What fleet.alerts says about a break; action: opened, changed, paused,
-- resolved.
CREATE FUNCTION break_alert(b breaks, action text) RETURNS text
	LANGUAGE sql STABLE AS $$
	SELECT jsonb_build_object('alert', 'break.' || action,
		'break', b.break_key,
		'check', b.check_name, 'org', b.org, 'subject', b.subject,
		'expected', b.expected::text, 'found', b.found::text,
		'difference', b.difference::text, 'state', b.state,
		'first_seen', b.first_seen, 'last_seen', b.last_seen,
		'pause', b.pause)::text
	$$;

-- Says it: one event, at seq. What the reconciler says are breaks, and nothing
-- else.
CREATE FUNCTION tell_break(seq int8, b breaks, action text) RETURNS int8
	LANGUAGE sql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
	INSERT INTO ch.outbox (seq, id, aggregatetype, aggregateid, type, payload,
		created_at)
	VALUES (tell_break.seq, gen_random_uuid(), 'fleet.alerts',
		left((b).break_key, 255), 'break.' || action,
		ch.break_alert(b, action), clock_timestamp())
	RETURNING seq
	$$;
REVOKE ALL ON FUNCTION tell_break FROM PUBLIC;

-- Sums of the postings up to a watermark of batch numbers, per generation: a
-- full verification builds the next one from nothing while this one is used.
CREATE TABLE ledger_buckets (
	gen        int4 NOT NULL,
	org_id     int4 NOT NULL,
	account_id int8 NOT NULL,
	shard      int2 NOT NULL,
	posted     numeric NOT NULL,
	n          int8 NOT NULL,
	PRIMARY KEY (gen, org_id, account_id, shard)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- One row. Buckets of gen hold all postings of batches <= watermark.
CREATE TABLE reconcile_progress (
	one            boolean PRIMARY KEY DEFAULT true CHECK (one),
	gen            int4 NOT NULL DEFAULT 1,
	watermark      int8 NOT NULL DEFAULT 0,
	watermark_at   timestamptz NOT NULL DEFAULT 'epoch',
	full_gen       int4,                  -- NULL: none under way
	full_watermark int8 NOT NULL DEFAULT 0,
	full_done_at   timestamptz
);
INSERT INTO reconcile_progress DEFAULT VALUES;

-- Lets the index know the pages written since; needs the table's owner.
CREATE FUNCTION summarize_postings() RETURNS int4 LANGUAGE plpgsql
	SECURITY DEFINER SET search_path = ch, pg_temp
	SET lock_timeout = '50ms' AS $$
DECLARE
	made int4 := 0;
	part record;
BEGIN
	FOR part IN SELECT i.inhrelid FROM pg_inherits i
		JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'ch.postings_batch'::regclass
		ORDER BY c.relname DESC LIMIT 3 LOOP
		BEGIN
			made := made + brin_summarize_new_values(part.inhrelid);
		EXCEPTION WHEN lock_not_available THEN
			NULL;  -- a vacuum is at it, which does the same
		END;
	END LOOP;
	RETURN made;
END $$;
REVOKE ALL ON FUNCTION summarize_postings FROM PUBLIC;
GRANT EXECUTE ON FUNCTION summarize_postings, ensure_partitions, tell_break
	TO ch_reconciler;

GRANT SELECT, INSERT, UPDATE ON breaks TO ch_reconciler;
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger_buckets TO ch_reconciler;
GRANT SELECT, INSERT, UPDATE ON reconcile_streams TO ch_reconciler;
GRANT SELECT, UPDATE ON reconcile_progress TO ch_reconciler;
GRANT SELECT ON breaks, ledger_buckets, reconcile_streams, reconcile_progress,
	check_transfers, check_balances, check_stock, check_floors, check_log_seq
	TO ch_operator;
GRANT SELECT ON check_transfers, check_balances, check_stock, check_floors,
	check_log_seq TO ch_reconciler;

COMMIT;
