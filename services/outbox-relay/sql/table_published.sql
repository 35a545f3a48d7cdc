-- Does publication $1 publish the inserts of the application's table $2
-- (<schema>.<table>), under that very name and not only under those of its
-- partitions? And what else decides what to do when it does not, with one of its
-- tables that is in no WAL. From PostgreSQL 16 on the view locks each table of
-- the publication.
WITH RECURSIVE tree AS (
	SELECT c.oid FROM pg_class c JOIN pg_namespace n
	ON n.oid = c.relnamespace
	WHERE n.nspname || '.' || c.relname = $2::text AND c.relkind IN ('r', 'p')
	UNION ALL
	SELECT i.inhrelid FROM pg_inherits i JOIN tree ON tree.oid = i.inhparent
	WHERE i.inhparent IN (SELECT oid FROM pg_class WHERE relkind = 'p')
)
SELECT p.oid IS NOT NULL AS is_there,
	coalesce(p.pubinsert, false) AS inserts,
	EXISTS (SELECT FROM pg_publication_tables t WHERE t.pubname = p.pubname
		AND t.schemaname || '.' || t.tablename = $2::text) AS published,
	c.oid IS NOT NULL AS is_table,
	coalesce(c.relkind = 'p', false) AS is_partitioned,
	coalesce(p.pubviaroot, false) AS by_root,
	coalesce(row_security_active(c.oid), false) AS is_hidden,
	current_user::text AS role,
	coalesce((SELECT min(format('%I.%I', n.nspname, u.relname))
		FROM tree JOIN pg_class u ON u.oid = tree.oid
		JOIN pg_namespace n ON n.oid = u.relnamespace
		WHERE u.relpersistence = 'u' AND u.relkind = 'r'), '')
		AS unlogged,
	pg_current_wal_insert_lsn() AS lsn
FROM (VALUES (0)) one
LEFT JOIN pg_publication p ON p.pubname = $1::text
LEFT JOIN (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace)
	ON n.nspname || '.' || c.relname = $2::text AND c.relkind IN ('r', 'p')
