-- Open breaks of check $1 that are gone: those looked at ($2) and not found
-- ($3), or, after a whole sweep, all not seen since it began ($4).
WITH gone AS (
	UPDATE breaks AS b SET state = 'resolved', resolved_at = clock_timestamp()
	WHERE check_name = $1 AND state = 'open' AND break_key <> ALL ($3::text[])
		AND (break_key = ANY ($2::text[]) OR last_seen < $4)
	RETURNING b
), drawn AS MATERIALIZED (
	SELECT nextval('batch_seq') AS number WHERE EXISTS (SELECT FROM gone)
), placed AS (
	SELECT number * 1048576 + row_number() OVER () - 1 AS seq, b
	FROM gone, drawn
), sent AS MATERIALIZED (
	SELECT count(tell_break(seq, b, 'resolved')) AS events FROM placed
)
SELECT (b).break_key, 'resolved', (b).subject, (b).expected::text,
	(b).found::text, (b).difference::text
FROM gone, sent WHERE events > 0;
