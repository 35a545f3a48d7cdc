-- Days that are kept no longer, each table's oldest first.
SELECT s.table_name, s.day::text
FROM retention_status() s JOIN retention r USING (table_name)
WHERE s.attached AND s.day < (now() AT TIME ZONE 'UTC')::date - r.keep_days
ORDER BY s.table_name, s.day
