-- The account behind each hold that a command names: whose row to lock.
SELECT k.i, h.hold_id, a.name, a.account_id, a.asset, a.scale, a.shards
FROM unnest($1::int4[], $2::text[]) WITH ORDINALITY AS k (org_id, name, i)
JOIN holds h ON h.org_id = k.org_id AND h.name = k.name
JOIN accounts a ON a.org_id = h.org_id AND a.account_id = h.account_id
