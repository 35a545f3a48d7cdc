-- Deploy countinghouse:readers to pg
-- Who may read: a reader is a role that is a member of ch_reader and has rows
-- in reader_orgs. Row-level security shows it the rows of these organisations
-- and no others, in the tables and in the views of schema ch_read, which name
-- what the tables number. Partitions are granted to nobody: the policies of
-- their root do not hold in them.
--
-- COPY FROM is refused on a table with row-level security to whomever it is on
-- for, policies or not. So ch_writer has BYPASSRLS, which only a superuser can
-- give (or the writer works as the owner); all other services have a policy
-- that lets every row pass, so that a missing attribute is an error in the
-- writer and never an empty answer.

BEGIN;

DO $$
DECLARE
	writer pg_roles;
BEGIN
	SELECT * INTO writer FROM pg_roles WHERE rolname = 'ch_writer';
	IF writer.rolbypassrls OR writer.rolsuper THEN
		NULL;
	ELSIF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
		ALTER ROLE ch_writer BYPASSRLS;
	ELSIF writer.rolcanlogin THEN
		RAISE EXCEPTION 'ch_writer has no BYPASSRLS: its COPY would be refused'
			USING ERRCODE = 'insufficient_privilege',
			HINT = 'let a superuser run: ALTER ROLE ch_writer BYPASSRLS';
	ELSE
		-- nobody works as ch_writer: the daemons run as the owner, to whom
		-- no policy applies
		RAISE WARNING 'ch_writer has no BYPASSRLS: only the owner can COPY'
			USING HINT = 'before it logs in, let a superuser run: '
			'ALTER ROLE ch_writer BYPASSRLS';
	END IF;
END $$;

SET LOCAL search_path = ch;

-- An exact decimal from minor units: multiplied, since numeric division
-- rounds.
CREATE FUNCTION amount(minor numeric, scale int4) RETURNS numeric
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	AS $$ SELECT minor * ('1e-' || scale)::numeric $$;

-- Which organisations a role reads. By the role itself: members of a role
-- inherit nothing from here.
CREATE TABLE reader_orgs (
	role     regrole NOT NULL,
	org_id   int4 NOT NULL REFERENCES orgs,
	added_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (role, org_id)
);

-- The organisations that the policies let `who` (their current_user) see. The
-- setting ch.org, when it is given, narrows them to one; it cannot widen. Of a
-- role that the session could not become it says nothing.
CREATE FUNCTION readable_orgs(who name) RETURNS int4[]
	LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
	SET search_path = ch, pg_temp AS $$
	SELECT coalesce(array_agg(r.org_id), '{}')
	FROM pg_catalog.pg_roles p JOIN ch.reader_orgs r ON r.role = p.oid
	JOIN ch.orgs o USING (org_id)
	WHERE p.rolname = who AND pg_has_role(session_user, p.oid, 'member')
	AND o.name = coalesce(nullif(current_setting('ch.org', true), ''), o.name)
	$$;
CREATE FUNCTION readable_org_names(who name) RETURNS text[]
	LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
	SET search_path = ch, pg_temp AS $$
	SELECT coalesce(array_agg(name), '{}') FROM ch.orgs
	WHERE org_id = ANY (ch.readable_orgs(who))
	$$;
REVOKE ALL ON FUNCTION readable_orgs, readable_org_names FROM PUBLIC;
GRANT EXECUTE ON FUNCTION readable_orgs, readable_org_names
	TO ch_writer, ch_relay, ch_reconciler, ch_cache, ch_reader, ch_operator;

-- Every table that holds rows of an organisation. Services see all rows.
DO $$
DECLARE
	t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['orgs', 'assets', 'accounts', 'balances',
		'postings', 'skus', 'stock', 'reservations', 'holds', 'reversals',
		'orders', 'order_fills', 'ledger_markets', 'positions',
		'own_trades', 'command_log', 'answers', 'rejected', 'outbox',
		'rate_rules', 'rate_windows', 'pauses', 'breaks', 'ledger_buckets',
		'audit_events', 'dead_letters', 'outbox_retry', 'foreign_letters',
		'reader_orgs'] LOOP
		EXECUTE format('ALTER TABLE ch.%I ENABLE ROW LEVEL SECURITY', t);
		EXECUTE format('CREATE POLICY services ON ch.%I TO ch_writer, '
			'ch_relay, ch_reconciler, ch_cache, ch_operator '
			'USING (true) WITH CHECK (true)', t);
	END LOOP;
	-- and those that a reader may read: one array for the statement, compared
	-- with the first column of the keys
	FOREACH t IN ARRAY ARRAY['orgs', 'assets', 'accounts', 'balances',
		'postings', 'skus', 'stock', 'reservations', 'holds', 'reversals',
		'orders', 'order_fills', 'ledger_markets', 'positions',
		'own_trades', 'command_log', 'answers', 'rate_windows'] LOOP
		EXECUTE format('CREATE POLICY readers ON ch.%I FOR SELECT '
			'TO ch_reader USING (org_id = ANY ('
			'(SELECT ch.readable_orgs(current_user))::int4[]))', t);
		EXECUTE format('GRANT SELECT ON ch.%I TO ch_reader', t);
	END LOOP;
END $$;
CREATE POLICY readers ON rate_rules FOR SELECT TO ch_reader USING (
	org_id IS NULL OR
	org_id = ANY ((SELECT ch.readable_orgs(current_user))::int4[]));
CREATE POLICY readers ON pauses FOR SELECT TO ch_reader USING (
	scope = 'trading' OR
	scope = ANY ((SELECT ch.readable_org_names(current_user))::text[]));
GRANT SELECT ON rate_rules, retention TO ch_reader;
GRANT SELECT ON reader_orgs TO ch_operator, ch_reconciler;

-- Lets a role read an organisation. The role must be there; it becomes a
-- member of ch_reader if it is none. Returns what it reads now; with dry_run,
-- which changes nothing, what it would read.
CREATE FUNCTION add_reader(role text, org text, actor text, reason text,
	dry_run boolean DEFAULT false)
	RETURNS text[] LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = ch, pg_temp AS $$
DECLARE
	who   pg_catalog.pg_roles;
	place int4;
	old   jsonb;
	fresh text[];
	other name;
BEGIN
	PERFORM ch.insist_who_and_why('add_reader', actor, reason);
	SELECT * INTO who FROM pg_catalog.pg_roles r WHERE r.rolname = role;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no role %', role
			USING ERRCODE = 'undefined_object', HINT = format(
			'CREATE ROLE %I LOGIN, its password by \password', role);
	END IF;
	IF who.rolsuper OR who.rolbypassrls OR NOT who.rolinherit THEN
		RAISE EXCEPTION 'role % may not be a reader: SUPERUSER, BYPASSRLS '
			'and NOINHERIT pass the policies by', role
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	SELECT r.rolname INTO other FROM pg_catalog.pg_roles r
		WHERE (r.rolname LIKE 'ch\_%' AND r.rolname <> 'ch_reader'
			OR r.rolsuper OR r.rolbypassrls)
		AND pg_has_role(who.oid, r.oid, 'member') ORDER BY 1 LIMIT 1;
	IF role = 'ch_reader' OR other IS NOT NULL THEN
		RAISE EXCEPTION 'role % may not be a reader: %', role, CASE
			WHEN other IS NULL THEN 'every reader could become it'
			ELSE 'it is or can become ' || other END
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	SELECT o.org_id INTO place FROM ch.orgs o WHERE o.name = org;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no organisation %', org
			USING ERRCODE = 'no_data_found', HINT =
			'an organisation is made by its first command';
	END IF;
	IF dry_run THEN
		RETURN ARRAY(SELECT unnest(ch.orgs_read_by(who.oid)) UNION SELECT org
			ORDER BY 1);
	END IF;
	old := to_jsonb(ch.orgs_read_by(who.oid));
	INSERT INTO ch.reader_orgs (role, org_id) VALUES (who.oid, place)
		ON CONFLICT DO NOTHING;
	IF NOT pg_has_role(who.oid, 'ch_reader', 'member') THEN
		EXECUTE format('GRANT ch_reader TO %I', role);
	END IF;
	fresh := ch.orgs_read_by(who.oid);
	INSERT INTO ch.audit_events (actor, action, subject, reason, before, after)
	VALUES (actor, 'add_reader', role, reason, old, to_jsonb(fresh));
	RETURN fresh;
END $$;

-- The role reads that organisation no more. Returns what it still reads; with
-- dry_run, which changes nothing, what it would.
CREATE FUNCTION remove_reader(role text, org text, actor text, reason text,
	dry_run boolean DEFAULT false)
	RETURNS text[] LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = ch, pg_temp AS $$
DECLARE
	who   oid;
	old   jsonb;
	fresh text[];
BEGIN
	PERFORM ch.insist_who_and_why('remove_reader', actor, reason);
	SELECT r.oid INTO who FROM pg_catalog.pg_roles r WHERE r.rolname = role;
	fresh := ch.orgs_read_by(who);
	IF (org = ANY (fresh)) IS NOT TRUE THEN
		RAISE EXCEPTION 'role % does not read organisation %', role, org
			USING ERRCODE = 'no_data_found';
	END IF;
	IF dry_run THEN
		RETURN array_remove(fresh, org);
	END IF;
	old := to_jsonb(fresh);
	DELETE FROM ch.reader_orgs r USING ch.orgs o
		WHERE r.role = who AND o.org_id = r.org_id AND o.name = org;
	fresh := ch.orgs_read_by(who);
	INSERT INTO ch.audit_events (actor, action, subject, reason, before, after)
	VALUES (actor, 'remove_reader', role, reason, old, to_jsonb(fresh));
	RETURN fresh;
END $$;
CREATE FUNCTION orgs_read_by(who oid) RETURNS text[] LANGUAGE sql STABLE AS $$
	SELECT coalesce(array_agg(o.name ORDER BY o.name), '{}')
	FROM ch.reader_orgs r JOIN ch.orgs o USING (org_id) WHERE r.role = who
	$$;
REVOKE ALL ON FUNCTION add_reader, remove_reader, orgs_read_by FROM PUBLIC;
GRANT EXECUTE ON FUNCTION add_reader, remove_reader, orgs_read_by TO ch_operator;

-- What readers read: names instead of numbers, decimals instead of minor
-- units. The views have the reader's own rights (security_invoker), so the
-- policies of the tables hold.
CREATE SCHEMA ch_read;
REVOKE ALL ON SCHEMA ch_read FROM PUBLIC;
GRANT USAGE ON SCHEMA ch_read TO ch_reader, ch_operator;

CREATE VIEW ch_read.accounts WITH (security_invoker) AS
	SELECT o.name AS org, a.name AS account, a.asset, a.scale, a.shards,
		ch.amount(b.balance, a.scale) AS balance,
		ch.amount(b.held, a.scale) AS held,
		ch.amount(b.floor, a.scale) AS floor,
		ch.amount(b.balance - b.held - b.floor, a.scale) AS available,
		b.version, b.closed, b.last_at
	FROM ch.accounts a JOIN ch.orgs o USING (org_id),
	LATERAL (SELECT sum(s.balance) AS balance, sum(s.held) AS held,
			CASE WHEN a.shards = 0 THEN min(s.floor) END::numeric AS floor,
			sum(s.version)::int8 AS version, bool_and(s.closed) AS closed,
			max(s.last_at) AS last_at
		FROM ch.balances s
		WHERE s.org_id = a.org_id AND s.account_id = a.account_id) b;

CREATE VIEW ch_read.postings WITH (security_invoker) AS
	SELECT o.name AS org, a.name AS account, p.shard, p.decided_at, p.batch,
		p.pos, p.leg, p.command_id, a.asset,
		ch.amount(p.amount, a.scale) AS amount,
		ch.amount(p.balance_after, a.scale) AS balance_after
	FROM ch.postings p JOIN ch.accounts a USING (org_id, account_id)
	JOIN ch.orgs o USING (org_id);

CREATE VIEW ch_read.holds WITH (security_invoker) AS
	SELECT o.name AS org, h.name AS hold, a.name AS account, a.asset,
		ch.amount(h.amount, a.scale) AS amount, h.state,
		ch.amount(h.captured, a.scale) AS captured, h.expires_at, h.version,
		h.last_at
	FROM ch.holds h JOIN ch.accounts a USING (org_id, account_id)
	JOIN ch.orgs o USING (org_id);

CREATE VIEW ch_read.stock WITH (security_invoker) AS
	SELECT o.name AS org, k.name AS sku, s.on_hand, s.reserved,
		s.on_hand - s.reserved AS available, s.version, s.last_at
	FROM ch.stock s JOIN ch.skus k USING (org_id, sku_id)
	JOIN ch.orgs o USING (org_id);

CREATE VIEW ch_read.reservations WITH (security_invoker) AS
	SELECT o.name AS org, r.name AS reservation, k.name AS sku, r.qty,
		r.state, r.committed_qty, r.expires_at, r.version, r.last_at
	FROM ch.reservations r JOIN ch.skus k USING (org_id, sku_id)
	JOIN ch.orgs o USING (org_id);

CREATE VIEW ch_read.orders WITH (security_invoker) AS
	SELECT o.name AS org, r.name AS "order", r.market, r.side,
		ch.amount(r.qty, 8) AS qty, ch.amount(r.filled, 8) AS filled,
		r.price, r.state, r.version, r.last_at
	FROM ch.orders r JOIN ch.orgs o USING (org_id);

CREATE VIEW ch_read.order_fills WITH (security_invoker) AS
	SELECT o.name AS org, r.name AS "order", f.fill,
		ch.amount(f.qty, 8) AS qty, f.price, f.command_id, f.decided_at
	FROM ch.order_fills f JOIN ch.orders r USING (org_id, order_id)
	JOIN ch.orgs o USING (org_id);

CREATE VIEW ch_read.markets WITH (security_invoker) AS
	SELECT o.name AS org, m.name AS market, m.asset, m.address, m.state,
		a.name AS payer, m.payouts::jsonb AS payouts,
		ch.amount(m.reserved, a.scale) AS reserved,
		ch.amount(m.paid, a.scale) AS paid,
		ch.amount(m.unpaid, a.scale) AS unpaid, m.holders,
		m.unpaid_holders, m.version, m.last_at
	FROM ch.ledger_markets m JOIN ch.orgs o USING (org_id)
	LEFT JOIN ch.accounts a
		ON a.org_id = m.org_id AND a.account_id = m.payer_id;

CREATE VIEW ch_read.positions WITH (security_invoker) AS
	SELECT o.name AS org, a.name AS account, m.name AS market, p.outcome,
		ch.amount(p.qty, 8) AS qty, ch.amount(p.lock, a.scale) AS lock,
		ch.amount(p.paid, a.scale) AS paid, ch.amount(p.belief, 8) AS belief,
		ch.amount(p.meta, 8) AS meta, p.version, p.last_at
	FROM ch.positions p JOIN ch.accounts a USING (org_id, account_id)
	JOIN ch.ledger_markets m USING (org_id, market_id)
	JOIN ch.orgs o USING (org_id);

CREATE VIEW ch_read.own_trades WITH (security_invoker) AS
	SELECT o.name AS org, t.tx, a.name AS account, m.name AS market,
		t.outcome, t.side, ch.amount(t.position, 8) AS position,
		ch.amount(t.lock, a.scale) AS lock,
		ch.amount(t.skim, a.scale) AS skim, t.qty, t.price, t.state,
		t.recorded_by, t.recorded_at, t.confirmed_by, t.confirmed_at
	FROM ch.own_trades t JOIN ch.accounts a USING (org_id, account_id)
	JOIN ch.ledger_markets m USING (org_id, market_id)
	JOIN ch.orgs o USING (org_id);

CREATE VIEW ch_read.commands WITH (security_invoker) AS
	SELECT o.name AS org, c.id, c.day, c.type, c.status, c.decided_at,
		c.source, c.ref, c.actor, c.stream, c.log_seq, c.batch, c.pos,
		c.command, c.result
	FROM ch.command_log c JOIN ch.orgs o USING (org_id);

CREATE VIEW ch_read.answers WITH (security_invoker) AS
	SELECT o.name AS org, c.id_text AS id, c.status, c.decided_at, c.stream,
		c.log_seq, c.result
	FROM ch.answers c JOIN ch.orgs o USING (org_id);

CREATE VIEW ch_read.rate_rules WITH (security_invoker) AS
	SELECT r.name, o.name AS org, r.scope, r.types, r.most,
		make_interval(secs => r.window_us::float8 / 1e6) AS "window", r.shares
	FROM ch.rate_rules r LEFT JOIN ch.orgs o USING (org_id);

CREATE VIEW ch_read.pauses WITH (security_invoker) AS
	SELECT scope, types, reason, paused_at, cooldown_until FROM ch.pauses;

GRANT SELECT ON ALL TABLES IN SCHEMA ch_read TO ch_reader, ch_operator;

COMMIT;
