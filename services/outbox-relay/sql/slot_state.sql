-- How the slot stands, for metrics and readiness.
SELECT active, coalesce(wal_status, ''),
	coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::int8,
	coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(),
		confirmed_flush_lsn), 0)::int8
FROM pg_replication_slots WHERE slot_name = $1
