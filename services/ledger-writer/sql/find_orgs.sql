-- Organisations that are there already.
SELECT org_id, name FROM orgs WHERE name = ANY ($1::text[])
