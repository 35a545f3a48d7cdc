UPDATE outbox_retry SET blocked_by = $1 WHERE retry_id = $2
