-- Deploy countinghouse:statements to pg
-- What was an account's balance at a time, how did it come about, is it right,
-- and what became of a command: one call each. They have their caller's
-- rights, so a reader asks about its own organisation only. Amounts are exact
-- decimals in the account's asset.

BEGIN;
SET LOCAL search_path = ch;

-- Finds an answer by its time, and by its id however long a time is looked
-- through, without reading the day; a B-tree would cost each answer its share.
-- 32 pages hold about 1000 answers, whose ids are that many.
CREATE INDEX answers_decided ON answers USING brin (decided_at,
		id_text text_bloom_ops (n_distinct_per_range = 1000))
	WITH (pages_per_range = 32, autosummarize = on);

-- The day that an id belongs to by the time in it (UUIDv7 or ULID alike).
CREATE FUNCTION id_time(id uuid) RETURNS timestamptz
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
	SELECT 'epoch'::timestamptz + interval '1 ms' *
		('x' || left(replace(id::text, '-', ''), 12))::bit(48)::int8
	$$;
CREATE FUNCTION id_day(id uuid) RETURNS date
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
	SELECT '1970-01-01'::date + (('x' || left(replace(id::text, '-', ''), 12)
		)::bit(48)::int8 / 86400000)::int4
	$$;

-- The uuid of an id as a producer sends it: a UUID, or the 26 letters of a
-- ULID. NULL: neither.
CREATE FUNCTION id_of(sent text) RETURNS uuid
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
	SELECT CASE WHEN sent ~* '^[0-7][0-9a-hjkmnp-tv-z]{25}$' THEN (
		SELECT string_agg(to_hex(substr(bits, 4 * i + 1, 4)::bit(4)::int4), ''
			ORDER BY i)::uuid
		FROM (SELECT substr(string_agg((strpos(
				'0123456789ABCDEFGHJKMNPQRSTVWXYZ', c) - 1)::bit(5)::text, ''
				ORDER BY o), 3) AS bits
			FROM regexp_split_to_table(upper(sent), '') WITH ORDINALITY
				AS t (c, o)) b, generate_series(0, 31) AS i)
		WHEN sent ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
			THEN sent::uuid END
	$$;

-- `since` itself; refuses a time whose postings were sealed and dropped.
CREATE FUNCTION posted_since(since timestamptz) RETURNS timestamptz
	LANGUAGE plpgsql STABLE AS $$
DECLARE
	kept ch.retention;
BEGIN
	SELECT * INTO kept FROM ch.retention WHERE table_name = 'postings';
	IF kept.lowest_day > coalesce(kept.first_day, kept.lowest_day)
		AND since < kept.lowest_day::timestamp AT TIME ZONE 'UTC' THEN
		RAISE EXCEPTION 'postings before % are sealed, asked for is %',
			kept.lowest_day, since USING ERRCODE = 'no_data_found',
			HINT = 'their files: SELECT * FROM ch.archives '
			'WHERE table_name = ''postings''';
	END IF;
	RETURN since;
END $$;

-- The account of that name; refuses one that is not there, or that the caller
-- may not see: a typing error is no empty account.
CREATE FUNCTION account_of(org text, account text) RETURNS ch.accounts
	LANGUAGE plpgsql STABLE AS $$
DECLARE
	found_org int4 := (SELECT o.org_id FROM ch.orgs o WHERE o.name = org);
	found     ch.accounts;
BEGIN
	SELECT a.* INTO found FROM ch.accounts a
		WHERE a.org_id = found_org AND a.name = account;
	IF found.account_id IS NULL THEN
		RAISE EXCEPTION 'no account % of organisation %', account, org
			USING ERRCODE = 'no_data_found', HINT = CASE
			WHEN found_org IS NULL THEN 'no organisation of that name that '
				'this role may see: SELECT name FROM ch.orgs'
			ELSE 'the names: ch.accounts; as producers send them, without '
				'the organisation before them' END;
	END IF;
	RETURN found;
END $$;

-- One row of an account at a time: not changed since; else the last posting
-- up to then, by the index; else what was before the first one after it.
CREATE FUNCTION minor_at(org int4, account int8, of_shard int2, at timestamptz)
	RETURNS int8 LANGUAGE sql STABLE AS $$
	SELECT coalesce((SELECT b.balance FROM ch.balances b WHERE b.org_id = org
			AND b.account_id = account AND b.shard = of_shard
			AND b.last_at <= at),
		(SELECT p.balance_after FROM ch.postings p WHERE p.org_id = org
			AND p.account_id = account AND p.shard = of_shard
			AND p.decided_at <= at
			ORDER BY p.batch DESC, p.pos DESC, p.leg DESC LIMIT 1),
		(SELECT p.balance_after - p.amount FROM ch.postings p
			WHERE p.org_id = org AND p.account_id = account
			AND p.shard = of_shard AND p.decided_at > at
			ORDER BY p.batch, p.pos, p.leg LIMIT 1),
		(SELECT b.balance FROM ch.balances b WHERE b.org_id = org
			AND b.account_id = account AND b.shard = of_shard))
	$$;

-- The balance after everything decided up to `at`; of an account with shards
-- their sum. 0 before its first posting.
CREATE FUNCTION balance_at(org text, account text, at timestamptz)
	RETURNS numeric LANGUAGE sql STABLE AS $$
	SELECT ch.amount((SELECT sum(ch.minor_at(b.org_id, b.account_id, b.shard,
			ch.posted_since(at))) FROM ch.balances b
		WHERE b.org_id = a.org_id AND b.account_id = a.account_id), a.scale)
	FROM ch.account_of(org, account) a
	$$;

-- The commands with a producer's own reference, of the days that are kept; of a
-- group its own reference, not its members'. Newest first.
CREATE FUNCTION by_ref(org text, reference text, most int DEFAULT 1000)
	RETURNS TABLE (decided_at timestamptz, command_id uuid, type text,
		status text, actor text, stream int4, log_seq int8)
	LANGUAGE sql STABLE AS $$
	SELECT l.decided_at, l.id, l.type, l.status, l.actor, l.stream, l.log_seq
	FROM ch.orgs o JOIN ch.command_log l ON l.org_id = o.org_id
		AND l.ref = by_ref.reference
	WHERE o.name = by_ref.org
	ORDER BY l.decided_at DESC, l.batch DESC, l.pos DESC LIMIT by_ref.most
	$$;

-- The accounts that a command names or shows: those of its moves, and those of
-- its answer (accounts with shards are not shown there). As json, not jsonb:
-- a producer's meta may hold numbers that jsonb refuses.
CREATE FUNCTION command_accounts(command bytea, result text) RETURNS text[]
	LANGUAGE sql STABLE PARALLEL SAFE AS $$
	WITH c AS (
		SELECT convert_from(command, 'UTF8')::json AS j
		WHERE length(command) > 1
	), m AS (
		SELECT j FROM c UNION ALL
		SELECT json_array_elements(j->'commands') FROM c
		WHERE json_typeof(j->'commands') = 'array'
	), named AS (
		SELECT unnest(ARRAY[j->>'from', j->>'to', j->>'account',
			j#>>'{skim,to}']) AS name FROM m
		UNION
		SELECT unnest(ARRAY[v->>'from', v->>'to']) FROM m,
		LATERAL json_array_elements(CASE json_typeof(j->'moves')
			WHEN 'array' THEN j->'moves' END) AS v
		UNION
		SELECT b->>'account' FROM (SELECT result::json->'balances' AS j) r,
		LATERAL json_array_elements(CASE json_typeof(r.j)
			WHEN 'array' THEN r.j END) AS b
	)
	SELECT coalesce(array_agg(name ORDER BY name), '{}') FROM named
	WHERE name IS NOT NULL
	$$;

-- The postings of an account decided in [since, until), in order. balance: the
-- account's after this posting (with shards: of all of them, in the order of
-- decisions). type, ref, actor and counter_accounts come from the log: NULL
-- once its day was archived.
CREATE FUNCTION statement(org text, account text, since timestamptz,
	until timestamptz)
	RETURNS TABLE (decided_at timestamptz, command_id uuid, type text,
		ref text, actor text, counter_accounts text[], amount numeric,
		balance numeric, shard int2, batch int8, pos int4, leg int2)
	LANGUAGE sql STABLE ROWS 100 AS $$
	WITH a AS MATERIALIZED (
		SELECT x.org_id, x.account_id, x.name, x.scale, x.shards,
			CASE WHEN x.shards > 0 THEN (SELECT sum(ch.minor_at(b.org_id,
				b.account_id, b.shard, since - interval '1 us'))
				FROM ch.balances b WHERE b.org_id = x.org_id
				AND b.account_id = x.account_id) END AS opening
		FROM ch.account_of(org, account) x
	)
	SELECT p.decided_at, p.command_id, c.type, c.ref, c.actor,
		array_remove(c.accounts, account),
		ch.amount(p.amount, (SELECT scale FROM a)),
		ch.amount(CASE WHEN (SELECT shards FROM a) = 0 THEN p.balance_after
			ELSE (SELECT opening FROM a) + sum(p.amount) OVER (
				ORDER BY p.batch, p.pos, p.leg
				ROWS UNBOUNDED PRECEDING) END, (SELECT scale FROM a)),
		p.shard, p.batch, p.pos, p.leg
	FROM ch.postings p
	LEFT JOIN LATERAL (SELECT l.type, l.ref, l.actor,
			ch.command_accounts(l.command, l.result) AS accounts
		FROM ch.command_log l WHERE l.org_id = p.org_id
		AND l.id = p.command_id AND l.day = ch.id_day(p.command_id)
		LIMIT 1) c ON true
	WHERE p.org_id = (SELECT org_id FROM a)
	AND p.account_id = (SELECT account_id FROM a)
	AND p.decided_at >= (SELECT ch.posted_since(since))
	AND p.decided_at < until
	UNION ALL -- asks for the account though no day of these is there
	SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		NULL FROM a WHERE account_id IS NULL
	ORDER BY batch, pos, leg
	$$;

-- Is one account right? Each balance is the sum of its postings and of what
-- was sealed, each posting goes on where the one before ended, held is what
-- holds, locks and settlements say, the floor is kept.
CREATE FUNCTION check_account(org text, account text)
	RETURNS TABLE (what text, expected numeric, found numeric, ok boolean,
		note text)
	LANGUAGE sql STABLE ROWS 4 AS $$
	WITH a AS MATERIALIZED (
		SELECT x.* FROM ch.account_of(org, account) x
	), b AS MATERIALIZED (
		SELECT s.* FROM ch.balances s
		WHERE s.org_id = (SELECT org_id FROM a)
		AND s.account_id = (SELECT account_id FROM a)
	), sealed AS MATERIALIZED (
		SELECT s.shard, s.posted FROM ch.sealed_postings s
		WHERE s.org_id = (SELECT org_id FROM a)
		AND s.account_id = (SELECT account_id FROM a)
	), p AS MATERIALIZED (
		SELECT q.shard, q.amount, q.balance_after - sum(q.amount) OVER (
			PARTITION BY q.shard ORDER BY q.batch, q.pos, q.leg
			ROWS UNBOUNDED PRECEDING) AS before_all
		FROM ch.postings q WHERE q.org_id = (SELECT org_id FROM a)
		AND q.account_id = (SELECT account_id FROM a)
	), posted AS (
		SELECT u.shard, sum(u.posted) AS posted, sum(u.n) AS n FROM (
			SELECT shard, amount::numeric AS posted, 1 AS n FROM p
			UNION ALL SELECT shard, posted, 0 FROM sealed) u GROUP BY 1
	), owed AS (
		SELECT coalesce((SELECT sum(h.amount) FROM ch.holds h
				WHERE h.org_id = a.org_id AND h.account_id = a.account_id
				AND h.state = 'held'), 0) AS holds,
			coalesce((SELECT sum(l.lock) FROM ch.positions l
				WHERE l.org_id = a.org_id AND l.account_id = a.account_id
				AND l.lock > 0), 0) AS locks,
			coalesce((SELECT sum(m.reserved::numeric - m.paid - m.unpaid)
				FROM ch.ledger_markets m WHERE m.org_id = a.org_id
				AND m.payer_id = a.account_id AND m.state = 'settling'), 0)
				AS settlements
		FROM a
	), r AS (
		SELECT 1 AS o, 'rows' AS what, greatest(a.shards, 1)::numeric AS e,
			(SELECT count(*) FROM b)::numeric AS f,
			'one, or one a shard' AS note, 0 AS scale FROM a
		UNION ALL
		SELECT 2, 'balance' || CASE WHEN a.shards > 0 THEN '#' ||
			coalesce(b.shard, s.shard) ELSE '' END, coalesce(s.posted, 0),
			b.balance, coalesce(s.n, 0) || ' postings', a.scale
		FROM a, b FULL JOIN posted s ON s.shard = b.shard
		UNION ALL
		SELECT 3, 'running balance', 0, count(*),
			'postings whose balance_after is not the sum so far', 0
		FROM p, a WHERE p.before_all <> coalesce((SELECT s.posted FROM sealed s
			WHERE s.shard = p.shard), 0) HAVING EXISTS (SELECT FROM a)
		UNION ALL
		SELECT 4, 'held', w.holds + w.locks + w.settlements,
			(SELECT sum(held) FROM b), format('holds %s, locks %s, settlements '
			'%s', ch.amount(w.holds, a.scale), ch.amount(w.locks, a.scale),
			ch.amount(w.settlements, a.scale)), a.scale
		FROM a, owed w
	)
	SELECT r.what, ch.amount(r.e, r.scale), ch.amount(r.f, r.scale),
		r.e IS NOT DISTINCT FROM r.f, r.note
	FROM (SELECT * FROM r ORDER BY o, what) r
	UNION ALL
	SELECT 'floor', ch.amount(b.floor, a.scale),
		ch.amount(b.balance::numeric - b.held, a.scale),
		b.balance::numeric - b.held >= b.floor, 'balance less held'
	FROM a, b WHERE b.floor IS NOT NULL
	$$;

-- The postings of one command, with what each balance was before and after.
-- By the BRIN index on batch: the SETs leave the planner no other.
CREATE FUNCTION command_postings(org int4, of_batch int8, of_pos int4,
	decided timestamptz)
	RETURNS TABLE (leg int2, account text, shard int2, asset text,
		amount numeric, before numeric, after numeric)
	LANGUAGE sql STABLE ROWS 4
	SET enable_seqscan = off SET enable_indexscan = off AS $$
	SELECT p.leg, coalesce(a.name, '#' || p.account_id), p.shard, a.asset,
		ch.amount(p.amount, a.scale),
		ch.amount(p.balance_after - p.amount, a.scale),
		ch.amount(p.balance_after, a.scale)
	FROM (SELECT * FROM ch.postings q WHERE q.batch = of_batch
		AND q.decided_at = decided OFFSET 0) p
	LEFT JOIN ch.accounts a USING (org_id, account_id)
	WHERE p.org_id = org AND p.pos = of_pos ORDER BY p.leg
	$$;

-- What an applied command changed, beside postings: figures of the rows that
-- its answer shows. What follows from neither command nor answer (a trade sets,
-- a skim takes of each lock, an order's move starts from several states) the
-- writer told when it decided: changes. Otherwise the log has rows as they are
-- after the command, and what was before is worked out of what was asked (a hold
-- or reservation that a command shows was open before it, unless the command
-- made it). 'none': there was no such row, or no such value.
CREATE FUNCTION command_changes(sent_id text, of_type text, command text,
	result text, changes text)
	RETURNS TABLE (kind text, name text, figure text, before text, after text)
	LANGUAGE sql STABLE ROWS 4 AS $$
	WITH c AS MATERIALIZED (
		SELECT command::json AS j, result::json AS r WHERE changes IS NULL
	), asked AS MATERIALIZED ( -- a member's default name: <id>/<index>
		SELECT of_type AS type, sent_id AS name, j FROM c
		WHERE of_type <> 'group'
		UNION ALL
		SELECT v->>'type', sent_id || '/' || (n - 1), v FROM c,
		json_array_elements(CASE of_type WHEN 'group' THEN j->'commands' END)
			WITH ORDINALITY AS t (v, n)
	), holds AS MATERIALIZED (
		SELECT v->>'hold' AS name, v->>'account' AS owner,
			(v->>'amount')::numeric AS amount, v->>'state' AS state,
			EXISTS (SELECT FROM asked a WHERE a.type = 'hold.place'
				AND coalesce(a.j->>'hold', a.name) = v->>'hold') AS made
		FROM c, json_array_elements(r->'holds') AS v
	), kept AS MATERIALIZED (
		SELECT v->>'reservation' AS name, v->>'sku' AS owner,
			(v->>'qty')::numeric AS qty, v->>'state' AS state,
			EXISTS (SELECT FROM asked a WHERE a.type = 'stock.reserve'
				AND coalesce(a.j->>'reservation', a.name) =
					v->>'reservation') AS made
		FROM c, json_array_elements(r->'reservations') AS v
	), f AS (
		SELECT 'account' AS kind, v->>'account' AS name, 'held' AS figure,
			false AS made, ((v->>'held')::numeric - coalesce((SELECT sum(
					h.amount * ((h.state = 'held')::int - (NOT h.made)::int))
				FROM holds h WHERE h.owner = v->>'account'), 0))::text
				AS before, v->>'held' AS after
		FROM c, json_array_elements(r->'balances') AS v
		UNION ALL
		SELECT 'stock', v->>'sku', 'on_hand', v->>'version' = '1',
			((v->>'on_hand')::numeric - coalesce((SELECT sum(
				coalesce(a.j->>'qty', a.j->>'delta')::numeric) FROM asked a
				WHERE a.type IN ('stock.receive', 'stock.adjust')
				AND a.j->>'sku' = v->>'sku'), 0)
			+ coalesce((SELECT sum(coalesce((a.j->>'qty')::numeric, k.qty))
				FROM asked a JOIN kept k ON k.name = a.j->>'reservation'
				WHERE a.type = 'reservation.commit'
				AND k.owner = v->>'sku'), 0))::text, v->>'on_hand'
		FROM c, json_array_elements(r->'stock') AS v
		UNION ALL
		SELECT 'stock', v->>'sku', 'reserved', v->>'version' = '1',
			((v->>'reserved')::numeric - coalesce((SELECT sum(
				k.qty * ((k.state = 'reserved')::int - (NOT k.made)::int))
				FROM kept k WHERE k.owner = v->>'sku'), 0))::text,
			v->>'reserved'
		FROM c, json_array_elements(r->'stock') AS v
		UNION ALL
		SELECT 'hold', h.name, 'state', h.made, 'held', h.state FROM holds h
		UNION ALL
		SELECT 'reservation', k.name, 'state', k.made, 'reserved', k.state
		FROM kept k
		UNION ALL
		SELECT v->>0, v->>1, v->>2, false, v->>3, v->>4
		FROM json_array_elements(changes::json) AS v
	)
	SELECT kind, name, figure, CASE WHEN made THEN 'none' ELSE before END, after
	FROM f WHERE made OR before <> after
	ORDER BY array_position(ARRAY['asset', 'market', 'order', 'trade',
		'account', 'stock', 'hold', 'reservation', 'transfer', 'position'],
		kind), name, figure
	$$;

-- What became of a command, by its id as sent: every row that answers it. The
-- row that took the id comes first; answers that did not take it (duplicates,
-- refusals for now, unreadable) are looked for within `within` of the id's own
-- time, or of now when it has none. delivered: every relay slot is past the row; delivery says how far.
CREATE FUNCTION command_status(sent_id text, of_org text DEFAULT NULL,
	within interval DEFAULT '1 hour')
	RETURNS TABLE (found_in text, org text, id text, type text, status text,
		topic text, part int4, src_offset int8, stream int4, log_seq int8,
		batch int8, pos int4, source text, decided_at timestamptz, actor text,
		ref text, reason text, command text, result text, postings jsonb,
		delivered boolean, delivery text)
	LANGUAGE sql STABLE ROWS 2 AS $$
	WITH who AS MATERIALIZED (
		SELECT ch.id_of(sent_id) AS u,
			coalesce(ch.id_time(ch.id_of(sent_id)), now() - within) AS t
	), seen AS MATERIALIZED (
		SELECT 'command_log' AS found_in, l.org_id, o.name AS org,
			l.id::text AS id, l.type, l.status, l.stream, l.log_seq, l.batch,
			l.pos, l.source, l.src_offset, l.decided_at, l.actor, l.ref,
			NULL::text AS reason, convert_from(l.command, 'UTF8') AS command,
			l.result
		FROM who, ch.orgs o, LATERAL (SELECT * FROM ch.command_log c
			WHERE c.org_id = o.org_id AND c.id = who.u
			AND c.day = ch.id_day(who.u) LIMIT 1) l
		WHERE of_org IS NULL OR o.name = of_org
		UNION ALL
		SELECT 'answers', s.org_id, o.name, s.id_text, NULL, s.status,
			s.stream, s.log_seq, s.batch, s.pos, 'kafka', s.src_offset,
			s.decided_at, NULL, NULL, r.reason,
			encode(r.value, 'escape'), s.result
		FROM who, ch.answers s LEFT JOIN ch.orgs o ON o.org_id = s.org_id
		LEFT JOIN LATERAL (SELECT j.reason, j.value FROM ch.rejected j
			WHERE j.stream = s.stream AND j.src_offset = s.src_offset
			AND j.log_seq BETWEEN s.log_seq - 3 AND s.log_seq + 3
			LIMIT 1) r ON true
		WHERE s.id_text = sent_id
		AND s.decided_at >= (SELECT t FROM who) - interval '10 min'
		AND s.decided_at <= (SELECT t FROM who) + within
		AND (of_org IS NULL OR o.name = of_org)
	)
	SELECT r.found_in, r.org, r.id, r.type, r.status, c.topic, c.part,
		r.src_offset, r.stream, r.log_seq, r.batch, r.pos, r.source,
		r.decided_at, r.actor, r.ref,
		coalesce(r.reason, r.result::json->>'reason'), r.command, r.result,
		CASE WHEN r.found_in = 'command_log' AND r.status = 'applied' THEN
			(SELECT coalesce(jsonb_agg(to_jsonb(p) ORDER BY p.leg), '[]')
			FROM ch.command_postings(r.org_id, r.batch, r.pos, r.decided_at) p)
		END,
		coalesce(d.all_past, false) AND k.letter IS NULL,
		concat_ws('; ', d.slots, k.letter)
	FROM seen r LEFT JOIN ch.consumer_partitions c ON c.stream = r.stream,
	LATERAL (SELECT bool_and(n.done >= r.log_seq) AS all_past,
			string_agg(format('slot %s: %s of %s by %s', n.slot,
				n.done, r.log_seq, n.updated_at), '; ' ORDER BY n.slot) AS slots
		FROM (SELECT g.slot, g.updated_at, coalesce(g.log_seqs[
				array_position(g.streams, r.stream)], 0) AS done
			FROM ch.relay_progress g) n) d,
	LATERAL (SELECT coalesce(
		(SELECT 'parked as letter ' || x.letter_id || ': ' || x.reason
			FROM ch.dead_letters x WHERE x.source = r.found_in
			AND x.row_id = r.stream || '-' || r.log_seq LIMIT 1),
		(SELECT 'waits behind letter ' || y.blocked_by
			FROM ch.outbox_retry y WHERE y.source = r.found_in
			AND y.row_id = r.stream || '-' || r.log_seq LIMIT 1)) AS letter) k
	ORDER BY r.found_in DESC, r.decided_at
	$$;

-- Between which moments a relay's progress passed a row of the log, which are
-- the same whenever it is asked: after later_than, at_latest then. By the marks
-- around it, and not before it was decided. NULL: no mark tells.
CREATE FUNCTION delivered_between(of_slot text, of_stream int4, of_log_seq int8,
	decided timestamptz, OUT later_than timestamptz, OUT at_latest timestamptz)
	LANGUAGE sql STABLE AS $$
	SELECT (SELECT max(t) FROM unnest(ARRAY[b.at, decided]) AS t
			WHERE t <= f.at), f.at
	FROM (SELECT m.at FROM ch.delivery_marks m WHERE m.slot = of_slot
		AND m.stream = of_stream AND m.log_seq >= of_log_seq
		ORDER BY m.log_seq LIMIT 1) f
	LEFT JOIN (SELECT m.at FROM ch.delivery_marks m WHERE m.slot = of_slot
		AND m.stream = of_stream AND m.log_seq < of_log_seq
		ORDER BY m.log_seq DESC LIMIT 1) b ON true
	$$;

REVOKE ALL ON FUNCTION minor_at, balance_at, by_ref, statement, check_account,
	delivered_between,
	command_accounts, posted_since, account_of, command_postings,
	command_changes,
	command_status FROM PUBLIC;
GRANT EXECUTE ON FUNCTION minor_at, balance_at, by_ref, statement, check_account,
	command_accounts, posted_since, account_of, command_postings
	TO ch_reader, ch_operator, ch_reconciler;
GRANT EXECUTE ON FUNCTION command_changes, command_status, delivered_between
	TO ch_operator, ch_reconciler;

COMMIT;
