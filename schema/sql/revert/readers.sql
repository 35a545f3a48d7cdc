-- Revert countinghouse:readers from pg
-- The members of ch_reader stay members: they see what its grants allow.

BEGIN;
DROP SCHEMA ch_read CASCADE;
DO $$
DECLARE
	p record;
BEGIN
	FOR p IN SELECT polname, polrelid::regclass AS t FROM pg_policy
		WHERE polname IN ('services', 'readers') AND polrelid IN (SELECT oid
		FROM pg_class WHERE relnamespace = 'ch'::regnamespace) LOOP
		EXECUTE format('DROP POLICY %I ON %s', p.polname, p.t);
	END LOOP;
	FOR p IN SELECT oid::regclass AS t FROM pg_class
		WHERE relnamespace = 'ch'::regnamespace AND relrowsecurity LOOP
		EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', p.t);
	END LOOP;
END $$;
SET LOCAL search_path = ch;
REVOKE SELECT ON assets, accounts, balances, postings, skus, stock,
	reservations, holds, reversals, orders, order_fills, ledger_markets,
	positions, own_trades, command_log, answers, rate_windows, rate_rules,
	retention FROM ch_reader;
DROP FUNCTION add_reader, remove_reader, orgs_read_by, readable_org_names,
	readable_orgs, amount;
DROP TABLE reader_orgs;
COMMIT;
