-- Which of these letters do not block their keys any more: their places.
SELECT k.place FROM unnest($1::uuid[]) WITH ORDINALITY AS k (letter, place)
JOIN letter_states s ON s.letter_id = k.letter AND s.state <> 'pending'
