-- Yesterday's, today's and tomorrow's partitions of every table by day.
SELECT ensure_partitions()
