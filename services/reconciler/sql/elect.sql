-- One reconciler is active: whose session holds this lock.
SELECT pg_try_advisory_lock(17224, 2);
