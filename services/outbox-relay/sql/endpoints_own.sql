-- An endpoint whose deliveries another relay of this schema makes; no row: all
-- are ours, by session locks of the SQL connection.
SELECT name FROM unnest($1::text[]) AS name
WHERE NOT pg_try_advisory_lock(hashtextextended(
	'countinghouse webhook ' || name,
	'webhook_deliveries'::regclass::oid::bigint))
LIMIT 1
