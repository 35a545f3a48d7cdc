-- One record of a dead-letter topic, once. known: it is of our own topic, and
-- the list has its letter. A record without a dialect that a replay of ours
-- sent: its origin is where that went.
WITH known AS (
	SELECT FROM letters WHERE $6 = 'countinghouse' AND letter_id = $19::uuid
	AND kind = 'rejected' AND topic = $7 AND src_offset = $9
), sent AS (
	SELECT topic, part, log_offset FROM letter_replays
	WHERE $6 = 'unknown' AND letter_id = $19::uuid
	ORDER BY replay_id DESC LIMIT 1
), made AS (
	INSERT INTO foreign_letters (letter_id, log_id, dlq_topic, dlq_part,
		dlq_offset, dialect, topic, part, src_offset, origin_at,
		record_key, value, header_names, header_values, error_class,
		reason, attempts, at, came_back, imported_by)
	SELECT $1::uuid, $2::uuid, $3::text, $4::int4, $5::int8, $6::text,
		coalesce((SELECT topic FROM sent), $7::text),
		coalesce((SELECT part FROM sent), $8::int4),
		coalesce((SELECT log_offset FROM sent), $9::int8),
		$10::timestamptz, $11::bytea, $12::bytea, $13::bytea[],
		$14::bytea[], $15::text, $16::text, $17::int4, $18::timestamptz,
		CASE WHEN $6 <> 'countinghouse' THEN $19::uuid END, $21::text
	WHERE NOT EXISTS (SELECT FROM known)
	ON CONFLICT DO NOTHING RETURNING letter_id, came_back
), counted AS (
	SELECT count(count_import(letter_id, $20::int4)) AS letters FROM made
)
SELECT c.letters > 0, EXISTS (SELECT FROM known),
	EXISTS (SELECT FROM made WHERE came_back IS NOT NULL)
FROM counted c
