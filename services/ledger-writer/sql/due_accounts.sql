-- As due_skus, for holds and their accounts.
SELECT DISTINCT d.org_id, o.name, a.name
FROM unnest($1::int4[]) AS k (stream),
LATERAL (SELECT h.org_id, h.account_id FROM holds h
	WHERE h.stream = k.stream AND h.state = 'held'
	AND h.expires_at <= $2 AND h.hold_id <> ALL ($4::int8[])
	ORDER BY h.expires_at LIMIT $3) d
JOIN orgs o ON o.org_id = d.org_id
JOIN accounts a ON a.org_id = d.org_id AND a.account_id = d.account_id
