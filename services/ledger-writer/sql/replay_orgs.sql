-- Organisations are named outside of batches: a fact, taken as it is.
INSERT INTO orgs (org_id, name) OVERRIDING SYSTEM VALUE
SELECT org_id, name FROM source_orgs ON CONFLICT DO NOTHING
