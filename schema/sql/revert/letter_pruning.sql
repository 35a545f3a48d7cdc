-- Revert countinghouse:letter_pruning from pg
BEGIN;
DROP FUNCTION ch.prune_letters;
COMMIT;
