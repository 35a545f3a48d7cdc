-- Writes down what check $1 found: a new break is opened, a known one is
-- brought up to date, and fleet.alerts hears of what is new, in one statement.
-- A break that grew has not led to a pause yet.
WITH seen AS (
	SELECT DISTINCT ON (break_key) break_key, org, subject,
		expected::numeric, found::numeric, difference::numeric, low, high
	FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
		$7::text[], $8::int8[], $9::int8[]) AS u (break_key, org,
		subject, expected, found, difference, low, high)
	ORDER BY break_key
), before AS MATERIALIZED (
	SELECT b.break_key, b.state, b.difference
	FROM breaks b JOIN seen USING (break_key)
), put AS (
	INSERT INTO breaks AS b (break_key, check_name, org, subject, expected,
		found, difference, low, high)
	SELECT break_key, $1, org, subject, expected, found, difference, low,
		high FROM seen
	ON CONFLICT (break_key) DO UPDATE SET last_seen = clock_timestamp(),
		expected = excluded.expected, found = excluded.found,
		difference = excluded.difference, low = excluded.low,
		high = excluded.high, state = 'open', resolved_at = NULL,
		first_seen = CASE b.state WHEN 'open' THEN b.first_seen
			ELSE clock_timestamp() END,
		times = b.times + (b.state <> 'open')::int4,
		pause = CASE WHEN b.state = 'open'
			AND abs(excluded.difference) <= abs(b.difference)
			THEN b.pause END
	RETURNING b
), told AS MATERIALIZED (
	SELECT (p.b).break_key, CASE WHEN o.state = 'open' THEN 'changed'
		ELSE 'opened' END AS action, p.b
	FROM put p LEFT JOIN before o ON o.break_key = (p.b).break_key
	WHERE o.state IS DISTINCT FROM 'open' OR o.difference <> (p.b).difference
), drawn AS MATERIALIZED (
	SELECT nextval('batch_seq') AS number WHERE EXISTS (SELECT FROM told)
), placed AS (
	SELECT number * 1048576 + row_number() OVER () - 1 AS seq, b, action
	FROM told, drawn
), sent AS MATERIALIZED (
	SELECT count(tell_break(seq, b, action)) AS events FROM placed
)
SELECT break_key, action, (b).subject, (b).expected::text, (b).found::text,
	(b).difference::text
FROM told, sent WHERE events > 0;
