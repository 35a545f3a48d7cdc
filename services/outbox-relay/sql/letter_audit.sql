INSERT INTO audit_events (actor, action, subject, reason, before, after)
VALUES ($1, $2, $3::uuid::text, $4,
	jsonb_build_object('state', $5::text, 'replay_count', $6::int4),
	jsonb_build_object('state', $7::text, 'replay_count', $8::int4)
	|| CASE WHEN $9::text IS NULL THEN '{}'::jsonb ELSE
		jsonb_build_object('topic', $9::text, 'partition', $10::int4,
			'offset', $11::int8) END)
