-- Has the schema nothing in it yet?
SELECT NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid)
	AND NOT EXISTS (SELECT FROM pg_proc WHERE pronamespace = n.oid)
FROM pg_namespace n WHERE nspname = $1
