-- Delivered, or discarded by an operator, so long ago that their events cannot be
-- read again.
DELETE FROM webhook_deliveries WHERE delivery_id IN (
	(SELECT delivery_id FROM webhook_deliveries
	WHERE letter_id IS NULL
	AND done_at < now() - $1::int8 * interval '1 millisecond'
	ORDER BY done_at LIMIT 1000)
	UNION ALL
	(SELECT d.delivery_id
	FROM webhook_deliveries d JOIN letter_states s USING (letter_id)
	WHERE s.state = 'discarded'
	AND d.done_at < now() - $1::int8 * interval '1 millisecond'
	LIMIT 1000)
	LIMIT 1000)
