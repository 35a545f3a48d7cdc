DELETE FROM outbox_retry WHERE retry_id = ANY($1)
