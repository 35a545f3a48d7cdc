-- Revert countinghouse:pauses from pg
BEGIN;
SET LOCAL search_path = ch;
DROP FUNCTION resume, pause_more, pause, insist_scope, insist_types,
	command_types, announce_control, take_pause_lock, pause_default_types,
	end_backend, pause_lock_holders;
DROP TABLE pause_lock, pauses;
COMMIT;
