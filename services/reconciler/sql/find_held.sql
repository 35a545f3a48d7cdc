-- Accounts behind ($1, $2] up to ($3, $4) that hold another sum than their
-- open holds, the locks of their positions and the settlements they pay.
WITH wrong AS MATERIALIZED (
	SELECT org_id, account_id, sum(owed) AS owed, sum(held) AS held FROM (
		SELECT org_id, account_id, 0::numeric AS owed, held::numeric AS held
		FROM balances WHERE held <> 0 AND (org_id, account_id) > ($1, $2)
			AND (org_id, account_id) <= ($3, $4)
		UNION ALL SELECT org_id, account_id, amount, 0 FROM holds
		WHERE state = 'held' AND (org_id, account_id) > ($1, $2)
			AND (org_id, account_id) <= ($3, $4)
		UNION ALL SELECT org_id, account_id, lock, 0 FROM positions
		WHERE lock > 0 AND (org_id, account_id) > ($1, $2)
			AND (org_id, account_id) <= ($3, $4)
		UNION ALL SELECT org_id, payer_id,
			reserved::numeric - paid - unpaid, 0 FROM ledger_markets
		WHERE state = 'settling' AND (org_id, payer_id) > ($1, $2)
			AND (org_id, payer_id) <= ($3, $4)) u
	GROUP BY org_id, account_id HAVING sum(owed) <> sum(held) LIMIT $5
)
SELECT format('held/%s/%s', org_name(org_id),
		account_name(org_id, account_id)),
	org_name(org_id), account_name(org_id, account_id), owed::text,
	held::text, (held - owed)::text, NULL::int8, NULL::int8
FROM wrong;
