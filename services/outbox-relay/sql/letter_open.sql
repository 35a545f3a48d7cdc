INSERT INTO letter_states (letter_id) VALUES ($1) ON CONFLICT DO NOTHING
