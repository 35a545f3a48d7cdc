-- The breaks $1 led to pause number $2.
WITH told AS (
	UPDATE breaks AS b SET pause = $2
	WHERE break_key = ANY ($1::text[]) AND state = 'open' RETURNING b
), drawn AS MATERIALIZED (
	SELECT nextval('batch_seq') AS number WHERE EXISTS (SELECT FROM told)
), placed AS (
	SELECT number * 1048576 + row_number() OVER () - 1 AS seq, b
	FROM told, drawn
)
SELECT count(tell_break(seq, b, 'paused')) FROM placed;
