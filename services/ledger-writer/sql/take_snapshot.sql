-- $1 actor, $2 reason, $3 dry run
SELECT snapshot_id, table_name, row_count FROM take_snapshot($1, $2, $3)
