-- Balances behind ($1, $2] up to ($3, $4) that are not what their postings sum
-- to: the bucket of generation $5, and the postings above its watermark $6,
-- none of which was decided before $7. One statement, one snapshot.
WITH wrong AS MATERIALIZED (
	SELECT org_id, account_id, shard, h.balance,
		coalesce(k.posted, 0) + coalesce(t.posted, 0) AS posted
	FROM (
		SELECT org_id, account_id, shard, balance FROM balances
		WHERE (org_id, account_id) > ($1, $2)
			AND (org_id, account_id) <= ($3, $4)
	) h FULL JOIN (
		SELECT org_id, account_id, shard, posted FROM ledger_buckets
		WHERE gen = $5 AND (org_id, account_id) > ($1, $2)
			AND (org_id, account_id) <= ($3, $4)
	) k USING (org_id, account_id, shard) FULL JOIN (
		SELECT org_id, account_id, shard, posted
		FROM posting_sums($6, 9223372036854775807, $7)
		WHERE (org_id, account_id) > ($1, $2)
			AND (org_id, account_id) <= ($3, $4)
	) t USING (org_id, account_id, shard)
	WHERE h.balance IS DISTINCT FROM
		coalesce(k.posted, 0) + coalesce(t.posted, 0)
	LIMIT $8
)
SELECT format('balances/%s/%s', org_name(org_id),
		account_subject(org_id, account_id, shard)),
	org_name(org_id), account_subject(org_id, account_id, shard),
	posted::text, balance::text, (coalesce(balance, 0) - posted)::text,
	NULL::int8, NULL::int8
FROM wrong;
