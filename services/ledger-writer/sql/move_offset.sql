-- The fence. No row: another owner has taken over, or this one is behind.
-- $1 topic, $2 part, $3 epoch, $4 offset stored last, $5 new offset, $6 Kafka's
-- leader epoch of the record before it
UPDATE consumer_partitions SET next_offset = $5, leader_epoch = $6
WHERE topic = $1 AND part = $2 AND epoch = $3 AND next_offset = $4
RETURNING stream, next_log_seq, last_at
