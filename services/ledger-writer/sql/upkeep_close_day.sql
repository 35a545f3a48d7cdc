-- $1 table, $2 day, $3 actor, $4 reason, $5 dry run
SELECT close_day($1, $2::text::date, $3, $4, $5)
