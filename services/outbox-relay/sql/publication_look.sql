-- How publication $1 has the application's table $2 (<schema>.<table>) now: the
-- publication, what of it the table is published by, the table and its name, and
-- its TOAST table, which SET LOGGED makes anew, VACUUM FULL does not; where a
-- publication names the table it cannot be SET UNLOGGED. Each part is another one
-- when it was changed or made anew since, whatever it says now. Then whether slot
-- $3 may lack rows for it: it was otherwise at the last look, unless the table was
-- made in the very transaction that changed it. And what was committed when it was
-- so.
WITH p AS (
	SELECT oid, xmin::text AS since FROM pg_publication
	WHERE pubname = $1::text
), t AS (
	SELECT c.oid, c.relnamespace, c.relkind, c.reltoastrelid,
		y.oid AS named_by, y.xmin::text AS since, a.xmin::text AS made,
		w.xmin::text AS written
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	-- its row type is renamed with it, and changed by little else
	JOIN pg_type y ON y.oid = c.reltype
	-- of a system column: never changed
	JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tableoid'
	LEFT JOIN pg_attribute w
		ON w.attrelid = c.reltoastrelid AND w.attname = 'tableoid'
	WHERE n.nspname || '.' || c.relname = $2::text AND c.relkind IN ('r', 'p')
), has AS (
	-- of whole schemas too, which catalogs before PostgreSQL 15 do not have
	SELECT DISTINCT d.objid, d.xmin::text AS since
	FROM p, t, pg_depend d JOIN pg_depend o USING (classid, objid)
	WHERE d.refclassid = 'pg_publication'::regclass AND d.refobjid = p.oid
	AND (o.refclassid = 'pg_class'::regclass AND (o.refobjid = t.oid OR
			o.refobjid IN (SELECT relid FROM pg_partition_ancestors(t.oid)))
		OR o.refclassid = 'pg_namespace'::regclass
			AND o.refobjid = t.relnamespace)
), now AS (
	SELECT concat(p.oid, ':', p.since) AS publication,
		coalesce((SELECT string_agg(objid::text, ',' ORDER BY objid)
			FROM has), '') AS has,
		concat(t.named_by, ':', t.since) AS name,
		CASE WHEN t.relkind = 'r' AND NOT EXISTS (
			SELECT FROM pg_publication_rel WHERE prrelid = t.oid)
			THEN t.reltoastrelid::text END AS toast,
		coalesce(p.since = t.made, false) AS publication_with_it,
		EXISTS (SELECT FROM has WHERE since = t.made) AS has_with_it,
		coalesce(t.since = t.made, false) AS name_with_it,
		coalesce(t.written = t.made, false) AS toast_with_it
	FROM (VALUES (0)) one LEFT JOIN p ON true LEFT JOIN t ON true
)
SELECT n.how,
	was.how IS NOT NULL AND NOT (
		(n.publication_with_it OR n.publication = split_part(was.how, '/', 1))
		AND (n.has_with_it OR n.has = split_part(was.how, '/', 2))
		AND (n.name_with_it OR n.name = split_part(was.how, '/', 3))
		AND (n.toast_with_it OR n.toast IS NULL
			OR split_part(was.how, '/', 4) IN ('', n.toast))),
	was.how IS NOT DISTINCT FROM n.how,
	pg_current_snapshot()::text
FROM (SELECT *, concat_ws('/', publication, has, name, toast) AS how FROM now) n
LEFT JOIN table_publications was ON was.slot = $3::text
