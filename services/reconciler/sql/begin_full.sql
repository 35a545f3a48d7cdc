-- A new generation from what was sealed with days gone by (as a rule nothing),
-- and the log from its base.
WITH log AS (UPDATE reconcile_streams SET again = base),
begun AS (
	UPDATE reconcile_progress SET full_gen = gen + 1, full_watermark = 0
	WHERE full_gen IS NULL RETURNING full_gen
), sealed AS (
	INSERT INTO ledger_buckets
	SELECT b.full_gen, s.org_id, s.account_id, s.shard, s.posted, s.n
	FROM begun b, sealed_postings s
)
SELECT full_gen FROM begun;
