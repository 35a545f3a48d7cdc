-- Every account of the batch, in the order of the arrays, which the writer has
-- sorted by id and shard: the same order in every writer. (A lateral subquery
-- with a row lock is never flattened, so no plan but one probe a key.) Each row
-- is looked for where it was seen last ($4, may be null), which costs half of an
-- index probe; the index finds it when it has moved since.
SELECT k.i, coalesce(l.place, m.place), coalesce(l.balance, m.balance),
	coalesce(l.held, m.held), coalesce(l.floor, m.floor),
	coalesce(l.version, m.version), coalesce(l.closed, m.closed),
	coalesce(l.last_at, m.last_at)
FROM unnest($1::int4[], $2::int8[], $3::int2[], $4::tid[])
	WITH ORDINALITY AS k (org_id, account_id, shard, place, i)
LEFT JOIN LATERAL (SELECT b.ctid AS place, b.* FROM balances b
	WHERE b.ctid = k.place AND b.org_id = k.org_id
	AND b.account_id = k.account_id AND b.shard = k.shard
	FOR NO KEY UPDATE) l ON true
LEFT JOIN LATERAL (SELECT b.ctid AS place, b.* FROM balances b
	WHERE l.place IS NULL AND b.org_id = k.org_id
	AND b.account_id = k.account_id AND b.shard = k.shard
	FOR NO KEY UPDATE) m ON true
WHERE coalesce(l.place, m.place) IS NOT NULL
