-- How far this topic was read, and whether that is the log that is there now.
SELECT part, next_offset, newest, log_id = $1 FROM foreign_cursors
WHERE log_id = $1 OR (cluster = $2 AND topic = $3)
