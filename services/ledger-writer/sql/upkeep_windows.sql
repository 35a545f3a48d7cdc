-- $1 actor, $2 reason, $3 dry run
SELECT drop_quiet_windows($1, $2, $3)
