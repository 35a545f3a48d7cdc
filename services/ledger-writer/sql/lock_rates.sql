-- $1 org_id[], $2 rule_id[], $3 subject[]: sorted by the writer
SELECT k.i, l.stamps, l.last_at
FROM unnest($1::int4[], $2::int4[], $3::text[])
	WITH ORDINALITY AS k (org_id, rule_id, subject, i),
LATERAL (SELECT w.* FROM rate_windows w WHERE w.org_id = k.org_id
	AND w.rule_id = k.rule_id AND w.subject = k.subject
	FOR NO KEY UPDATE) l
