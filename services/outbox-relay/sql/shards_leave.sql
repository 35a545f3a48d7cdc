SELECT pg_advisory_unlock_shared(17227, hashtext($1 || '/' || $2::int4)),
	pg_advisory_unlock_shared(17225, hashtext($1))
