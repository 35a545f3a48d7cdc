SELECT source, row_id FROM dead_letters
UNION ALL
SELECT source, row_id FROM outbox_retry
