-- Keys that wait: behind a letter that is still open, or with rows not sent. Of
-- $1 shards only those of $2, by the hash of queue_look.sql.
SELECT d.letter_id, d.topic, d.record_key
FROM dead_letters d LEFT JOIN letter_states s USING (letter_id)
WHERE d.blocks_key AND d.record_key IS NOT NULL AND d.source <> 'webhook'
AND ($1::int4 = 1 OR (hashtext(letter_text(d.record_key) COLLATE "C")
	& 2147483647) % $1::int4 = ANY ($2::int4[]))
AND (coalesce(s.state, 'pending') = 'pending' OR EXISTS (
	SELECT FROM outbox_retry r WHERE r.blocked_by = d.letter_id))
ORDER BY d.parked_at
