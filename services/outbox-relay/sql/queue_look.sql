-- Table $1 (<schema>.<table>) as a queue: what this role may do, whether column
-- $2 orders its rows, and the statements that read and delete them. A number
-- counts as an order only if no two rows share it; of a partitioned table, whose
-- indexes cannot say that, an index is enough. CASE hides from the planner how
-- few rows such conditions usually pick: it would sort the table for a page.
WITH named AS (
	SELECT split_part($1::text, '.', 1) AS schema,
		substr($1::text, strpos($1::text, '.') + 1) AS name,
		$2::text AS ord, $3::text AS id, $4::text AS key
)
SELECT c.relkind IN ('r', 'p') AS is_table,
	has_schema_privilege(n.oid, 'USAGE') AS may_use,
	has_table_privilege(c.oid, 'SELECT') AS may_read,
	has_table_privilege(c.oid, 'DELETE') AS may_delete,
	row_security_active(c.oid) AS hidden,
	i.attnum IS NOT NULL AS has_id,
	k.attnum IS NOT NULL AS has_key,
	o.attnum IS NOT NULL AS has_order,
	coalesce(format_type(o.atttypid, o.atttypmod), '') AS order_type,
	coalesce(o.atttypid IN ('int4'::regtype, 'int8'::regtype), false)
		AS is_number,
	coalesce(o.attnotnull, false) AS is_set,
	EXISTS (SELECT FROM pg_index x JOIN pg_class xc ON xc.oid = x.indexrelid
		JOIN pg_am am ON am.oid = xc.relam AND am.amname = 'btree'
		WHERE x.indrelid = c.oid AND x.indisvalid AND x.indpred IS NULL
		AND x.indkey[0] = o.attnum
		AND (c.relkind = 'p'
			OR (x.indisunique AND x.indnkeyatts = 1))) AS is_indexed,
	coalesce(k.atttypid IN ('text'::regtype, 'varchar'::regtype,
		'uuid'::regtype, 'int2'::regtype, 'int4'::regtype,
		'int8'::regtype), false) AS is_hashed,
	current_user::text AS role,
	format('SELECT t.*, t.%1$I::int8, t.%2$I::text, '
		'(coalesce(hashtext(t.%3$I::text COLLATE "C"), 0) '
		'& 2147483647) %% $2::int4 FROM %4$I.%5$I t '
		'WHERE CASE WHEN t.%1$I = ANY ($1::int8[]) THEN false '
		'ELSE (coalesce(hashtext(t.%3$I::text COLLATE "C"), 0) '
		'& 2147483647) %% $2::int4 = ANY ($3::int4[]) END '
		'ORDER BY t.%1$I LIMIT $4::int8',
		m.ord, m.id, m.key, m.schema, m.name) AS read,
	format('DELETE FROM %3$I.%4$I t '
		'USING unnest($1::int8[], $2::text[]) u (n, id) '
		'WHERE t.%1$I = u.n AND t.%2$I::text IS NOT DISTINCT FROM u.id',
		m.ord, m.id, m.schema, m.name) AS delete
FROM named m JOIN pg_namespace n ON n.nspname = m.schema
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = m.name
LEFT JOIN pg_attribute o ON o.attrelid = c.oid AND o.attname = m.ord
	AND o.attnum > 0 AND NOT o.attisdropped
LEFT JOIN pg_attribute i ON i.attrelid = c.oid AND i.attname = m.id
	AND i.attnum > 0 AND NOT i.attisdropped
LEFT JOIN pg_attribute k ON k.attrelid = c.oid AND k.attname = m.key
	AND k.attnum > 0 AND NOT k.attisdropped
