-- Has install.sql made the table one of time partitions? And one that is asked
-- what is missing?
SELECT to_regprocedure('ensure_partitions()') IS NOT NULL,
	to_regprocedure('partitions_missing()') IS NOT NULL
