-- $1 snapshot_id, $2 actor, $3 from nothing, $4 dry run, $5 reason
SELECT what, org, subject, expected::text, found::text
FROM verify_snapshot($1, $2, $3, $4, $5)
