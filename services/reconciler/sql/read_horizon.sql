-- Every transaction with a smaller xid has ended.
SELECT pg_snapshot_xmin(pg_current_snapshot());
