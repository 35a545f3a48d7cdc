-- Which letters are meant; a NULL is no wish. {filter} is the expression's.
-- What became of a letter that was sent again is looked up only when it is asked
-- for.
	($1::uuid[] IS NULL OR letter_id = ANY($1))
	AND ($2::text IS NULL OR topic = $2)
	AND ($3::text IS NULL OR error_class = $3)
	AND ($4::bytea IS NULL OR record_key = $4)
	AND ($5::text IS NULL OR CASE
		WHEN stored_state <> 'replayed' THEN stored_state = $5
		WHEN $5 IN ('replayed', 'resolved') THEN state = $5 ELSE false END)
	AND ($6::timestamptz IS NULL OR at >= $6)
	AND ($8::uuid IS NULL
		OR (at, coalesce(row_order, 9223372036854775807), letter_id) > (
			SELECT a.at, coalesce(a.row_order, 9223372036854775807),
				a.letter_id FROM letters a WHERE a.letter_id = $8))
	AND ({filter})
