-- Revert countinghouse:relay from pg
BEGIN;
SET LOCAL search_path = ch;
DROP PUBLICATION ch_relay;
DROP VIEW letters;
DROP TRIGGER rejected_sorted ON rejected;
DROP TRIGGER foreign_letters_sorted ON foreign_letters;
ALTER TABLE rejected DROP COLUMN fingerprint;
ALTER TABLE foreign_letters DROP COLUMN fingerprint;
DROP TABLE letter_edits, letter_replays, letter_states, outbox_retry, dead_letters,
	delivery_marks, relay_progress;
DROP FUNCTION sort_letter, letter_fingerprint, letter_pattern, letter_text,
	letter_resolved, mark_letter_open;
DROP INDEX outbox_xid;
COMMIT;
