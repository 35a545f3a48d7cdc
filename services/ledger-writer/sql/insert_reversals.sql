INSERT INTO reversals (org_id, transfer_id, member, reversed_by, batch,
	decided_at)
SELECT * FROM unnest($1::int4[], $2::uuid[], $3::int4[], $4::uuid[],
	$5::int8[], $6::timestamptz[])
