-- All that has a number, as a snapshot.
SELECT format('%1$s:%1$s:', pg_current_xact_id())
