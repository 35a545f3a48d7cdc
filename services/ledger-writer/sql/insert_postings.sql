INSERT INTO postings (org_id, account_id, batch, pos, leg, shard, amount,
	balance_after, command_id, decided_at)
SELECT * FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::int4[],
	$5::int2[], $6::int2[], $7::int8[], $8::int8[], $9::uuid[],
	$10::timestamptz[])
