-- Which of these letters do not block their keys any more.
SELECT letter_id FROM letter_states
WHERE letter_id = ANY($1) AND state <> 'pending'
