-- An edited letter was decided: so are the letters that it stands for.
WITH RECURSIVE chain AS (
	SELECT original_id FROM letter_edits WHERE letter_id = $1
	UNION
	SELECT e.original_id FROM letter_edits e
	JOIN chain c ON e.letter_id = c.original_id
)
UPDATE letter_states s SET state = $2, held = NULL, actor = $3, reason = $4,
	changed_at = clock_timestamp()
FROM chain c WHERE s.letter_id = c.original_id
