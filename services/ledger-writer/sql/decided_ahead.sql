-- The offsets from $4 on that were decided before the partition was restarted.
-- $1 topic, $2 part, $3 epoch, $4 next offset
SELECT lower(r), upper(r) FROM consumer_partitions, unnest(decided) AS r
WHERE topic = $1 AND part = $2 AND epoch = $3 AND upper(r) > $4
ORDER BY 1
