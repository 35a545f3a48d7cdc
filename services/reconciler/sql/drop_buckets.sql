-- Buckets of generations gone by, $2 rows at a time.
DELETE FROM ledger_buckets WHERE ctid = ANY (ARRAY(
	SELECT ctid FROM ledger_buckets WHERE gen < $1 LIMIT $2));
