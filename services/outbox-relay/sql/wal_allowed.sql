-- What stands between this role and the WAL of this server.
SELECT current_setting('wal_level'), current_setting('max_wal_senders')::int4,
	current_setting('max_replication_slots')::int4,
	rolsuper OR rolreplication, rolname::text
FROM pg_roles WHERE rolname = current_user
