-- Writers that were stopped in the middle of a statement keep their locks, and no
-- timeout of PostgreSQL's ends them: a COPY waits for their rows, or an answer
-- for them to read it. $1 ms
SELECT a.pid, pg_terminate_backend(a.pid)
FROM pg_stat_activity a
WHERE a.usename = current_user AND a.datname = current_database()
AND a.pid <> pg_backend_pid()
AND a.state = 'active' AND a.wait_event IN ('ClientRead', 'ClientWrite')
AND a.query_start < clock_timestamp() - $1 * interval '1 ms'
