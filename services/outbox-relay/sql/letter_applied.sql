-- What the ledger made of this id, if it took it; and whether its day is kept.
SELECT (SELECT c.status FROM command_log c JOIN orgs o USING (org_id)
		WHERE o.name = $1 AND c.id = $2 AND c.day = $3),
	$3 < r.lowest_day, r.lowest_day::text
FROM retention r WHERE r.table_name = 'command_log'
