-- What the connected role lacks to write the books, and what mends it: a row
-- each, none when nothing is missing. COPY FROM is refused on a table with
-- row-level security to whomever it is active for, policies or not.
WITH books (name, rights) AS (
	SELECT unnest('{assets,accounts,skus,postings,reversals,order_fills,
		command_log,answers,rejected,outbox,trades_public}'::text[]),
		'{SELECT,INSERT}'::text[]
	UNION ALL SELECT unnest('{balances,stock,reservations,holds,orders,
		ledger_markets,positions,own_trades,rate_windows}'::text[]),
		'{SELECT,INSERT,UPDATE}'::text[]
	UNION ALL VALUES ('consumer_partitions', '{SELECT,UPDATE}'::text[]),
		('orgs', '{SELECT}'), ('retention', '{SELECT}'),
		('pauses', '{SELECT}'), ('pause_lock', '{INSERT}'),
		('rate_rules', '{SELECT}')),
found (name, rights, oid) AS (
	SELECT name, rights, to_regclass(quote_ident(name)) FROM books)
SELECT format('there is no table %s in %s, or role %s may not see it', name,
		current_setting('search_path'), current_user),
	'deploy schema/sql there (deploy/local/migrate.sh), or correct '
	'database_url and schema', 1 AS o
FROM found WHERE oid IS NULL
UNION ALL
SELECT format('role %s may not %s %s', current_user, r, name),
	'connect as ch_writer (database_url)', 2
FROM found, unnest(rights) AS r WHERE NOT has_table_privilege(oid, r)
UNION ALL
SELECT format('row-level security is on for role %s in %s: its COPY would be '
		'refused', current_user, name),
	format('let a superuser run ALTER ROLE %I BYPASSRLS (it is not inherited '
		'from ch_writer), or connect as the owner', current_user), 3
FROM found WHERE row_security_active(oid)
ORDER BY 3, 1
