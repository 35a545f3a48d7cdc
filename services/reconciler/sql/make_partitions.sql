SELECT ensure_partitions();
