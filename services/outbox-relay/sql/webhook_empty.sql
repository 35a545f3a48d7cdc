-- Keys that were seen without a pending row, unless changed since.
DELETE FROM webhook_keys k
USING unnest($2::bytea[], $3::int8[]) AS t(key_digest, version)
WHERE k.endpoint = $1 AND k.key_digest = t.key_digest
AND k.version = t.version AND k.blocked_by IS NULL
