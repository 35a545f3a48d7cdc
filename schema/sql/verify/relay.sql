-- Verify countinghouse:relay on pg
BEGIN;
SELECT slot, lsn, streams, log_seqs, snapshot FROM ch.relay_progress WHERE false;
SELECT slot, stream, log_seq, at FROM ch.delivery_marks WHERE false;
SELECT 1 / (NOT has_table_privilege('ch_relay', 'ch.delivery_marks',
	'update, delete, truncate'))::int;
SELECT letter_id, topic, part, value, is_open, parked_lsn FROM ch.dead_letters
	WHERE false;
SELECT retry_id, blocked_by FROM ch.outbox_retry WHERE false;
SELECT letter_id, state, replay_count, original_id, fingerprint, stored_state
	FROM ch.letters WHERE false;
SELECT letter_id, state, held FROM ch.letter_states WHERE false;
SELECT letter_id, original_id, difference, edited_role FROM ch.letter_edits
	WHERE false;
SELECT replay_id, log_offset, command_id, plan_id FROM ch.letter_replays WHERE false;
-- the same cause, whatever the numbers; two causes, two fingerprints
SELECT 1 / (ch.letter_fingerprint('c', '"a": 12 bytes')
	= ch.letter_fingerprint('c', '"b": 7 bytes'))::int,
	1 / (ch.letter_fingerprint('c', 'x') <> ch.letter_fingerprint('d', 'x'))::int,
	1 / (ch.letter_text('\xff'::bytea) = '\377')::int;
SELECT 1 / (NOT has_table_privilege('ch_operator', 'ch.dead_letters', 'delete'))::int;
-- inserts only, by the roots' names, of exactly these tables
SELECT 1 / (pubinsert AND NOT pubupdate AND NOT pubdelete AND NOT pubtruncate
	AND pubviaroot)::int FROM pg_publication WHERE pubname = 'ch_relay';
SELECT 1 / (array_agg(tablename::text ORDER BY tablename) =
	ARRAY['answers', 'command_log', 'outbox', 'rejected'])::int
	FROM pg_publication_tables
	WHERE pubname = 'ch_relay' AND schemaname = 'ch';
ROLLBACK;
