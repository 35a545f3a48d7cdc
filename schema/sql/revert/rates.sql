-- Revert countinghouse:rates from pg

BEGIN;
DROP TABLE ch.rate_windows;
DROP TABLE ch.rate_rules;
COMMIT;
