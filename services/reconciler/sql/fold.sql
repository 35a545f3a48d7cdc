-- Adds the postings of batches in ($2, $3] to the buckets of generation $1 and
-- moves the watermark, in one statement. $4: of batches above $3 nothing is
-- decided before that time; $5: nothing of the range is older than that. No
-- row: the watermark is not where we think.
WITH moved AS (
	UPDATE reconcile_progress SET watermark = $3, watermark_at = $4
	WHERE gen = $1 AND watermark = $2 RETURNING gen
), sums AS (
	SELECT s.* FROM moved, posting_sums($2, $3, $5) s
), put AS (
	INSERT INTO ledger_buckets AS b
	SELECT $1, org_id, account_id, shard, posted, n FROM sums
	ORDER BY org_id, account_id, shard
	ON CONFLICT (gen, org_id, account_id, shard) DO UPDATE
	SET posted = b.posted + excluded.posted, n = b.n + excluded.n
)
SELECT (SELECT coalesce(sum(n), 0)::int8 FROM sums) FROM moved;
