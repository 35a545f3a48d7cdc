-- Which of the transfers were reversed before. Two that reverse one at the same
-- time meet at its accounts' rows, and at the unique key.
SELECT k.i, r.reversed_by
FROM unnest($1::int4[], $2::uuid[], $3::int4[])
	WITH ORDINALITY AS k (org_id, transfer_id, member, i)
JOIN reversals r ON r.org_id = k.org_id AND r.transfer_id = k.transfer_id
	AND r.member = k.member
