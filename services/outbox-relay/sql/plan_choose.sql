-- The plan's letters, chosen once.
SELECT choose_letters($7, ARRAY(SELECT letter_id FROM letters WHERE {where}))
