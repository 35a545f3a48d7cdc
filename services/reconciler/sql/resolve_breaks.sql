-- Open breaks of check $1 that are gone: those looked at ($2) and not found
-- ($3), or, after a whole sweep, all not seen since it began ($4).
WITH gone AS (
	UPDATE breaks AS b SET state = 'resolved', resolved_at = clock_timestamp()
	WHERE check_name = $1 AND state = 'open' AND break_key <> ALL ($3::text[])
		AND (break_key = ANY ($2::text[]) OR last_seen < $4)
	RETURNING b
), drawn AS MATERIALIZED (
	SELECT nextval('batch_seq') AS number WHERE EXISTS (SELECT FROM gone)
), alerts AS (
	INSERT INTO outbox (seq, id, aggregatetype, aggregateid, type, payload,
		created_at)
	SELECT number * 1048576 + row_number() OVER () - 1, gen_random_uuid(),
		'fleet.alerts', left((b).break_key, 255), 'break.resolved',
		break_alert(b, 'resolved'), clock_timestamp()
	FROM gone, drawn
)
SELECT (b).break_key, 'resolved', (b).subject, (b).expected::text,
	(b).found::text, (b).difference::text
FROM gone;
