-- $1 archive, $2 sha256, $3 rows, $4 actor, $5 reason
SELECT confirm_archive($1, $2, $3, $4, $5)
