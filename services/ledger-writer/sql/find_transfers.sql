-- The applied commands that are to be reversed: what they moved is in their text,
-- which comes with the first of the members that are asked for; the others
-- (NULL) follow it. OFFSET 0: one index probe a key in one day's partition.
-- $1 org_id[], $2 id[], $3 day[]
SELECT k.i, CASE WHEN row_number() OVER of_one = 1 THEN l.command END
FROM unnest($1::int4[], $2::uuid[], $3::date[])
	WITH ORDINALITY AS k (org_id, id, day, i),
LATERAL (SELECT c.command FROM command_log c
	WHERE c.org_id = k.org_id AND c.id = k.id AND c.day = k.day
	AND c.status = 'applied' OFFSET 0) l
WINDOW of_one AS (PARTITION BY k.org_id, k.id ORDER BY k.i)
ORDER BY k.org_id, k.id, k.i
