-- The applied commands that are to be reversed: what they moved is in their text.
-- OFFSET 0: one index probe a key in one day's partition. $1 org_id[], $2 id[],
-- $3 day[]
SELECT k.i, l.command
FROM unnest($1::int4[], $2::uuid[], $3::date[])
	WITH ORDINALITY AS k (org_id, id, day, i),
LATERAL (SELECT c.command FROM command_log c
	WHERE c.org_id = k.org_id AND c.id = k.id AND c.day = k.day
	AND c.status = 'applied' OFFSET 0) l
