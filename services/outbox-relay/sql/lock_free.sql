-- Ends the session of the role's own that has the slot's lock and has waited for
-- its relay for 15 s, in the middle of what it was asked, where no timeout of
-- PostgreSQL ends it: a leader that goes on asks every few seconds, and gives up
-- a call after 15 s.
SELECT a.pid, pg_terminate_backend(a.pid)
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
	AND l.classid::int8 = 17225
	AND l.objid::int8 = hashtext($1)::int8 & 4294967295
	AND l.database = a.datid AND a.datname = current_database()
	AND a.usename = current_user
	AND a.wait_event IN ('ClientRead', 'ClientWrite')
	AND a.state_change < clock_timestamp() - interval '15 s'
