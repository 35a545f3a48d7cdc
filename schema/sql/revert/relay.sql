-- Revert countinghouse:relay from pg
BEGIN;
SET LOCAL search_path = ch;
DROP PUBLICATION ch_relay;
DROP VIEW letters;
DROP FUNCTION letter_fingerprint, letter_pattern, letter_text,
	letter_resolved;
DROP TABLE letter_edits, letter_replays, letter_states, outbox_retry, dead_letters,
	delivery_marks, relay_progress;
DROP FUNCTION mark_letter_open;
DROP INDEX outbox_xid;
COMMIT;
