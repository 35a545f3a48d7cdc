-- Accounts behind ($1, $2] up to ($3, $4) that hold less than their floor.
WITH wrong AS MATERIALIZED (
	SELECT org_id, account_id, shard, balance::numeric - held AS free,
		held, floor
	FROM balances
	WHERE (org_id, account_id) > ($1, $2)
		AND (org_id, account_id) <= ($3, $4)
		AND (held < 0 OR balance::numeric - held < floor)
	LIMIT $5
)
SELECT format('floors/%s/%s', org_name(org_id),
		account_subject(org_id, account_id, shard)),
	org_name(org_id), account_subject(org_id, account_id, shard),
	(CASE WHEN held < 0 THEN 0 ELSE floor END)::text,
	(CASE WHEN held < 0 THEN held ELSE free END)::text,
	(CASE WHEN held < 0 THEN held ELSE free - floor END)::text,
	NULL::int8, NULL::int8
FROM wrong;
