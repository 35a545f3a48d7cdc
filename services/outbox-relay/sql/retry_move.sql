-- Row $3, which waited behind letter $2, was refused and is letter $1 now: it
-- waits no more, and what waited behind the old letter does behind the new one.
WITH refused AS (DELETE FROM outbox_retry WHERE retry_id = $3)
UPDATE outbox_retry SET blocked_by = $1
WHERE blocked_by = $2 AND retry_id <> $3
