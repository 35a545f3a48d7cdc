-- Keys that wait: behind a letter that is still open, or with rows not sent.
SELECT d.letter_id, d.topic, d.record_key
FROM dead_letters d LEFT JOIN letter_states s USING (letter_id)
WHERE d.blocks_key AND d.record_key IS NOT NULL AND d.source <> 'webhook'
AND (coalesce(s.state, 'pending') = 'pending' OR EXISTS (
	SELECT FROM outbox_retry r WHERE r.blocked_by = d.letter_id))
ORDER BY d.parked_at
