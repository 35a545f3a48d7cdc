-- Delivered so long ago that their events cannot be read again.
DELETE FROM webhook_deliveries WHERE delivery_id IN (
	SELECT delivery_id FROM webhook_deliveries
	WHERE letter_id IS NULL
	AND done_at < now() - $1::int8 * interval '1 millisecond'
	ORDER BY done_at LIMIT 1000)
