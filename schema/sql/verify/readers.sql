-- Verify countinghouse:readers on pg

BEGIN;
SELECT role, org_id, added_at FROM ch.reader_orgs WHERE false;
SELECT org, account, balance, held, available FROM ch_read.accounts WHERE false;
-- the writer's COPY passes, if anybody works as ch_writer
SELECT 1 / (rolbypassrls OR rolsuper OR NOT rolcanlogin)::int FROM pg_roles
	WHERE rolname = 'ch_writer';
-- each table with an organisation has row-level security, and what a reader
-- may read has a policy for readers
SELECT 1 / (count(*) = 0)::int FROM pg_class c
	WHERE c.relnamespace = 'ch'::regnamespace AND c.relkind IN ('r', 'p')
	AND NOT c.relispartition AND NOT c.relrowsecurity
	AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid
		AND a.attname IN ('org_id', 'org') AND NOT a.attisdropped)
	AND has_table_privilege('ch_reader', c.oid, 'select');
SELECT 1 / (count(*) = 0)::int FROM pg_class c
	WHERE c.relnamespace = 'ch'::regnamespace AND c.relrowsecurity
	AND has_table_privilege('ch_reader', c.oid, 'select')
	AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid
		AND p.polroles @> ARRAY['ch_reader'::regrole::oid]);
-- no grant on a partition, to anybody
SELECT 1 / (count(*) = 0)::int FROM pg_class c
	WHERE c.relnamespace = 'ch'::regnamespace AND c.relispartition
	AND c.relkind IN ('r', 'p') AND EXISTS (SELECT FROM aclexplode(c.relacl) x
		WHERE x.grantee <> c.relowner);
-- the views have their reader's rights, not their owner's
SELECT 1 / (count(*) = 0)::int FROM pg_class
	WHERE relnamespace = 'ch_read'::regnamespace
	AND NOT coalesce(reloptions, '{}') @> ARRAY['security_invoker=true'];
SELECT 1 / (NOT has_table_privilege('ch_reader', t, 'select'))::int
	FROM unnest(ARRAY['ch.rejected', 'ch.outbox', 'ch.audit_events',
	'ch.reader_orgs', 'ch.breaks', 'ch.dead_letters']) AS t;
SELECT 1 / (NOT has_function_privilege('ch_reader',
	'ch.add_reader(text, text, text, text, boolean)', 'execute'))::int;
SELECT 1 / has_function_privilege('ch_operator',
	'ch.add_reader(text, text, text, text, boolean)', 'execute')::int;
ROLLBACK;
