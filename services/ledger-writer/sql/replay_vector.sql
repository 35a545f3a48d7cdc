-- Where the rows begin that a snapshot does not cover. $1 snapshot_id
SELECT stream, next_log_seq FROM source_snapshot_streams
WHERE snapshot_id = $1
