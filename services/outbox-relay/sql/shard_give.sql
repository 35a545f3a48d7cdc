SELECT pg_advisory_unlock(17226,
	hashtext($1::text || '/' || $2::int4 || '/' || $3::int4))
