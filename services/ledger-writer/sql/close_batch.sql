-- The second move of each partition's row: what the batch numbered, and when.
UPDATE consumer_partitions c SET next_log_seq = k.next_log_seq, last_at = $4
FROM unnest($1::text[], $2::int4[], $3::int8[]) AS k (topic, part, next_log_seq)
WHERE c.topic = k.topic AND c.part = k.part
