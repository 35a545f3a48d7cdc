-- Rows of an application that are put aside, and what they hold, as
-- event_content() has it: their ids may come again with other events.
SELECT source, row_id, ('x' || left(encode(sha256(
	int4send(coalesce(octet_length(record_key), -1))
	|| coalesce(record_key, '')
	|| int4send(coalesce(octet_length(value), -1))
	|| coalesce(value, '')), 'hex'), 8))::bit(32)::int4
FROM (SELECT source, row_id, record_key, value FROM dead_letters
	WHERE source <> 'webhook'
	UNION ALL
	SELECT source, row_id, record_key, value FROM outbox_retry) AS aside
