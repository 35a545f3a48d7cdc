-- Ends the walsender that reads the slot: of the role's own, which needs no
-- right for it.
SELECT pg_terminate_backend(active_pid)
FROM pg_replication_slots WHERE slot_name = $1 AND active_pid = $2
