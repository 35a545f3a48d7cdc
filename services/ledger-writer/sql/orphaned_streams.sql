-- Streams that nobody owns (their topic is not read any more, or was made anew
-- with fewer partitions), for the owner of the lowest stream of commands that
-- somebody owns; none for others. Whose backend the asker may not look at counts
-- as nobody: two that settle the same do no harm, its rows' locks decide.
-- $1 the asker's stream[], $2 topics with commands
WITH owned AS MATERIALIZED (
	SELECT c.stream, c.topic FROM consumer_partitions c
	JOIN pg_stat_activity a ON a.pid = c.backend_pid
		AND a.backend_start = c.backend_start
)
SELECT c.stream FROM consumer_partitions c
WHERE NOT EXISTS (SELECT FROM owned o WHERE o.stream = c.stream)
AND (SELECT min(o.stream) FROM owned o WHERE o.topic = ANY ($2::text[]))
	= ANY ($1::int4[])
