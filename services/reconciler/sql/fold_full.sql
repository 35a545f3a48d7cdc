-- As fold.sql, for the generation that a full verification builds.
WITH moved AS (
	UPDATE reconcile_progress SET full_watermark = $3
	WHERE full_gen = $1 AND full_watermark = $2 RETURNING full_gen
), sums AS (
	SELECT s.* FROM moved, posting_sums($2, $3, 'epoch') s
), put AS (
	INSERT INTO ledger_buckets AS b
	SELECT $1, org_id, account_id, shard, posted, n FROM sums
	ORDER BY org_id, account_id, shard
	ON CONFLICT (gen, org_id, account_id, shard) DO UPDATE
	SET posted = b.posted + excluded.posted, n = b.n + excluded.n
)
SELECT (SELECT coalesce(sum(n), 0)::int8 FROM sums) FROM moved;
