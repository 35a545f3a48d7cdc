-- Fills in ids that were not known yet when the row was made, or that a restart
-- took away. What was decided of another topic says nothing about this one.
-- $1 topic, $2 part, $3 epoch, $4 cluster id, $5 topic id
UPDATE consumer_partitions SET cluster_id = $4, topic_id = $5,
	decided = CASE WHEN decided_of IN ('', $5::text) THEN decided ELSE '{}' END,
	decided_of = $5
WHERE topic = $1 AND part = $2 AND epoch = $3
