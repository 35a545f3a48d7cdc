-- Revert countinghouse:holds from pg

BEGIN;
DROP TABLE ch.reversals;
DROP TABLE ch.holds;
DROP SEQUENCE ch.hold_seq;
COMMIT;
