-- Names to numbers, made where missing. A name that another writer makes at
-- this moment may be absent from the answer: ask again. Names come sorted.
WITH made AS (
	INSERT INTO orgs (name) SELECT unnest($1::text[])
	ON CONFLICT (name) DO NOTHING
	RETURNING org_id, name
)
SELECT org_id, name FROM made
UNION ALL
SELECT org_id, name FROM orgs WHERE name = ANY ($1)
