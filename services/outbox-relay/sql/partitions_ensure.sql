-- Makes the partitions of the time ahead that are missing; how many.
SELECT ensure_partitions()
