-- How far each stream's log goes, in one MVCC snapshot: a batch moves all its
-- partitions in one transaction, so what is below is whole and hangs together.
SELECT stream, topic, part, next_log_seq FROM source_consumer_partitions
ORDER BY stream
