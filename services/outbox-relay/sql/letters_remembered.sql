SELECT source, row_id FROM dead_letters WHERE source <> 'webhook'
UNION ALL
SELECT source, row_id FROM outbox_retry
