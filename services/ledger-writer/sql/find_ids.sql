-- Known ids of one day, which stands apart so that one partition is looked at.
-- OFFSET 0: one index probe a key, whatever the planner thinks of a partition
-- that was empty when the statement was prepared. Of their answers, that of $5,
-- and as many as are $4 bytes together; the others are left unread
-- (octet_length() reads none). $1 day, $2 org_id[], $3 id[]
SELECT k.i, l.payload_hash, CASE WHEN k.i = $5
	OR sum(octet_length(l.result)) OVER (ORDER BY k.i) <= $4
	THEN l.result END
FROM unnest($2::int4[], $3::uuid[]) WITH ORDINALITY AS k (org_id, id, i),
LATERAL (SELECT c.payload_hash, c.result FROM command_log c
	WHERE c.org_id = k.org_id AND c.id = k.id AND c.day = $1 OFFSET 0) l
