-- What the rebuilt books come to.
SELECT o.name, a.asset, count(DISTINCT a.account_id),
	(sum(b.balance) * ('1e-' || a.scale)::numeric)::text,
	(sum(b.held) * ('1e-' || a.scale)::numeric)::text
FROM balances b JOIN accounts a USING (org_id, account_id)
JOIN orgs o USING (org_id)
GROUP BY o.name, a.asset, a.scale ORDER BY 1, 2
