-- How many letters wait for an operator, and since when.
SELECT count(*), extract(epoch FROM min(d.parked_at))::int8
FROM dead_letters d LEFT JOIN letter_states s USING (letter_id)
WHERE coalesce(s.state, 'pending') = 'pending'
