-- Verify countinghouse:edit_approvals on pg
BEGIN;
SELECT 1 / count(*) FROM pg_trigger WHERE tgrelid = 'ch.replay_plans'::regclass
	AND tgname = 'replay_plans_own_edits' AND tgenabled = 'O';
ROLLBACK;
