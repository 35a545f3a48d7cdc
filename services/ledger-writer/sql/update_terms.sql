-- Floors and closing: rare, so the hot UPDATE does not carry them. Whole rows: the
-- CHECK on a row's floor must not see a balance without its floor.
UPDATE balances b SET balance = k.balance, held = k.held,
	version = k.version, floor = k.floor, closed = k.closed, last_at = $9
FROM unnest($1::int4[], $2::int8[], $3::int2[], $4::int8[], $5::int8[],
	$6::int8[], $7::int8[], $8::boolean[])
	AS k (org_id, account_id, shard, balance, held, version, floor, closed)
WHERE b.org_id = k.org_id AND b.account_id = k.account_id
	AND b.shard = k.shard
