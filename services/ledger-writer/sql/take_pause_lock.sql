-- Shared, until the transaction ends. A statement of its own: pauses read in
-- the same statement would be those of before the wait.
SELECT pg_advisory_xact_lock_shared(17224, 1)
