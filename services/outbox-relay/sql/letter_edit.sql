SELECT edit_letter($1, $2, $3, $4::text::jsonb, $5, $6)
