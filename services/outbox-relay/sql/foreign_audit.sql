INSERT INTO audit_events (actor, action, subject, reason, after)
VALUES ($1, $2, 'topic ' || $3::text, $4, $5::text::jsonb)
