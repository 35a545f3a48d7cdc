-- Is the day's partition there? $1 table, $2 day
SELECT has_partition($1, $2)
