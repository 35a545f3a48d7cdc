-- Has install.sql made the table one of time partitions?
SELECT to_regprocedure('ensure_partitions()') IS NOT NULL
