-- $1 table, $2 day
SELECT ensure_partition($1, $2)
