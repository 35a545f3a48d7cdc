-- The columns of table $1 (<schema>.<table>).
SELECT a.attname::text AS name, a.atttypid::int8 AS type,
	a.atttypmod AS modifier,
	format_type(a.atttypid, a.atttypmod) AS called
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname || '.' || c.relname = $1::text AND a.attnum > 0
	AND NOT a.attisdropped
ORDER BY a.attnum
