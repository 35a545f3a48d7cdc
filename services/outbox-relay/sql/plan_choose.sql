-- The plan's letters, oldest first, chosen once.
WITH chosen AS (
	INSERT INTO replay_plan_letters (plan_id, place, letter_id, key_digest)
	SELECT $7, row_number() OVER (ORDER BY at, row_order, letter_id),
		letter_id, CASE WHEN record_key IS NOT NULL THEN
		sha256(convert_to(topic, 'UTF8') || decode('00', 'hex') || record_key) END
	FROM letters WHERE {where}
	RETURNING letter_id
)
UPDATE replay_plans SET letters = (SELECT count(*) FROM chosen)
WHERE plan_id = $7 RETURNING letters
