-- $1 table, $2 day, $3 file, $4 sha256, $5 rows, $6 actor, $7 dry run, $8 reason
SELECT record_archive($1, $2::text::date, $3, $4, $5, $6, $7, $8)
