-- The last number drawn, and then an xid of our own: whoever drew a number up
-- to this one had its xid before, so its xid is smaller than ours. The CASE
-- makes the xid wait for the number. (A snapshot's xmax would not do: a
-- running transaction's xid may lie at or above it.)
WITH b AS MATERIALIZED (
	SELECT coalesce(pg_sequence_last_value('batch_seq'::regclass), 0) AS last,
		clock_timestamp() AS at
)
SELECT last, at, CASE WHEN last IS NOT NULL THEN pg_current_xact_id() END
FROM b;
