-- Verify countinghouse:webhooks on pg
BEGIN;
SELECT delivery_id, endpoint, event_id, content, key_digest, done_at, letter_id
	FROM ch.webhook_deliveries WHERE false;
SELECT endpoint, key_digest, next_at, version, blocked_by
	FROM ch.webhook_keys WHERE false;
SELECT topic, record_key, letter_id, since, waiting FROM ch.blocked_keys
	WHERE false;
-- an operator puts deliveries back, and neither makes nor removes one
SELECT 1 / (NOT has_table_privilege('ch_operator', 'ch.webhook_deliveries',
		'insert')
	AND NOT has_table_privilege('ch_operator', 'ch.webhook_deliveries',
		'delete'))::int;
ROLLBACK;
