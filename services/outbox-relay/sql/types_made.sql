-- The types of this database that are another one on the wire: a domain is what it
-- is made of, an enum and a citext are text. Of all tables: a stream that is
-- behind tells what a column was then.
WITH RECURSIVE made AS (
	SELECT t.oid AS told, t.oid AS type, -1 AS modifier
	FROM pg_type t WHERE t.typtype IN ('d', 'e') OR t.typname = 'citext'
	UNION ALL
	SELECT m.told, t.typbasetype, t.typtypmod
	FROM made m JOIN pg_type t ON t.oid = m.type
	WHERE t.typtype = 'd'
)
SELECT m.told::int8 AS told,
	CASE WHEN t.typtype = 'e' OR t.typname = 'citext' THEN 25
		ELSE t.oid::int8 END AS type,
	m.modifier
FROM made m JOIN pg_type t ON t.oid = m.type
WHERE t.typtype <> 'd'
ORDER BY told
