-- What was written of that day last. $1 table, $2 day
SELECT archive_id, sha256, row_count, file, at::text, actor
FROM archives WHERE table_name = $1 AND day = $2::text::date
ORDER BY archive_id DESC LIMIT 1
