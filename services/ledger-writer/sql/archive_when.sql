-- May a day be archived? $1 table, $2 day: is its partition there, is it
-- written still, and from when on it is not.
SELECT to_regclass(quote_ident(partition_name($1, $2::text::date)))
		IS NOT NULL,
	partition_name($1, $2::text::date),
	$2::text::date >= (now() AT TIME ZONE 'UTC')::date - 1,
	($2::text::date + 2)::text || ' 00:00 UTC'
