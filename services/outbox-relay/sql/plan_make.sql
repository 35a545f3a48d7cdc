SELECT make_plan($1::text::jsonb, $2, $3, $4, $5, $6, $7, $8, $9, $10)
