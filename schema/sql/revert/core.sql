-- Revert countinghouse:core from pg
BEGIN;
DROP SCHEMA ch CASCADE;
COMMIT;
