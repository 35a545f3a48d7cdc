-- $1 topic, $2 part, $3 Kafka's cluster id, $4 the topic's id
INSERT INTO consumer_partitions (topic, part, cluster_id, topic_id)
VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
