-- How far each stream's log is verified and how far it goes, and the same for
-- a full verification, which begins anew at the base; at most $1 rows of a
-- stream at once.
SELECT c.stream, coalesce(r.verified, 0),
	least(c.next_log_seq - 1, coalesce(r.verified, 0) + $1),
	coalesce(r.again, 0),
	least(coalesce(r.verified, 0), coalesce(r.again, 0) + $1),
	c.next_log_seq - 1
FROM consumer_partitions c LEFT JOIN reconcile_streams r USING (stream)
ORDER BY c.stream;
