-- $1 org_id[], $2 name[]. i counts from 1 through the arrays.
SELECT k.i, a.scale
FROM unnest($1::int4[], $2::text[]) WITH ORDINALITY AS k (org_id, name, i)
JOIN assets a ON a.org_id = k.org_id AND a.name = k.name
