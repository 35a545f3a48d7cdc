-- Revert countinghouse:foreign_letters from pg
BEGIN;
DROP TABLE ch.foreign_cursors, ch.foreign_letters;
COMMIT;
