-- $1 table, $2 day, $3 actor, $4 reason, $5 dry run, $6 most to wait in ms
SELECT condition, ok, value, needed, mend
FROM drop_day($1, $2::text::date, $3, $4, $5, $6)
