-- The log was seen to end at $4. What was decided of it behind that is not in it
-- any more, and what comes there is new; where that is before the offset, the
-- partition is not read on, however long the log becomes.
-- $1 topic, $2 part, $3 epoch, $4 the log's end
UPDATE consumer_partitions SET
	cut_at = CASE WHEN next_offset > $4 THEN least(cut_at, $4::int8)
		ELSE cut_at END,
	decided = decided * int8multirange(int8range(0, $4::int8))
WHERE topic = $1 AND part = $2 AND epoch = $3
