-- One reconciler is active: whose session holds this lock. The second key
-- stands apart from the pause's (1).
SELECT pg_try_advisory_lock(17224, 2);
