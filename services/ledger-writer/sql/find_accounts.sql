-- Names to ids: facts that never change, read without a lock.
SELECT k.i, a.account_id, a.asset, a.scale, a.shards
FROM unnest($1::int4[], $2::text[]) WITH ORDINALITY AS k (org_id, name, i)
JOIN accounts a ON a.org_id = k.org_id AND a.name = k.name
