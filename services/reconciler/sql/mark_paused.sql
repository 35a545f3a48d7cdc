-- The breaks $1 led to pause number $2.
WITH told AS (
	UPDATE breaks AS b SET pause = $2
	WHERE break_key = ANY ($1::text[]) AND state = 'open' RETURNING b
), drawn AS MATERIALIZED (
	SELECT nextval('batch_seq') AS number WHERE EXISTS (SELECT FROM told)
), alerts AS (
	INSERT INTO outbox (seq, id, aggregatetype, aggregateid, type, payload,
		created_at)
	SELECT number * 1048576 + row_number() OVER () - 1, gen_random_uuid(),
		'fleet.alerts', left((b).break_key, 255), 'break.paused',
		break_alert(b, 'paused'), clock_timestamp()
	FROM told, drawn
)
SELECT count(*) FROM told;
