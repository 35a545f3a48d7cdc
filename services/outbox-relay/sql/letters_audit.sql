SELECT audit_letters($1, $2, $3, $4, $5::text::jsonb)
