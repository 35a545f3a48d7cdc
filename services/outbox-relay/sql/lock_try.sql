-- The leadership of one slot: a session lock of the SQL connection.
SELECT pg_try_advisory_lock(17225, hashtext($1))
