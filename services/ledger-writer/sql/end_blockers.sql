-- The owner that a claim waits for was stopped with its locks held, or hangs:
-- ends the backend that the row names, if it still is that backend, and those
-- writers' backends that our claim waits for. $1 topic, $2 part, $3 our pid
SELECT a.pid, pg_terminate_backend(a.pid)
FROM pg_stat_activity a
WHERE a.usename = current_user AND a.datname = current_database()
AND a.pid NOT IN (pg_backend_pid(), $3)
AND (a.pid = ANY (pg_blocking_pids($3))
	OR EXISTS (SELECT FROM consumer_partitions c
		WHERE c.topic = $1 AND c.part = $2 AND c.backend_pid = a.pid
		AND c.backend_start = a.backend_start))
