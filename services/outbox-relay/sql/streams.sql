SELECT stream, part FROM consumer_partitions
