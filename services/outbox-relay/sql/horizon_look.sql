-- The first transaction of this database that has not ended, as others see it,
-- though snapshot $1 sees it; none: every row that $1 sees is in the tables.
SELECT x::text, coalesce(l.pid, 0), coalesce(p.gid, '')
FROM pg_snapshot_xip(pg_current_snapshot()) x
LEFT JOIN pg_locks l ON l.locktype = 'transactionid'
	AND l.mode = 'ExclusiveLock' AND l.granted AND l.transactionid = x::xid
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
LEFT JOIN pg_prepared_xacts p ON p.transaction = x::xid
WHERE pg_visible_in_snapshot(x, $1::text::pg_snapshot)
AND coalesce(a.datname, p.database, current_database()) = current_database()
ORDER BY x LIMIT 1
