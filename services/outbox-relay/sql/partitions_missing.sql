-- How many partitions of the time ahead are not there.
SELECT partitions_missing()
