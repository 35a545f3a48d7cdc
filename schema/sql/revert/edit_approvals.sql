-- Revert countinghouse:edit_approvals from pg
BEGIN;
SET LOCAL search_path = ch;
DROP TRIGGER replay_plans_own_edits ON replay_plans;
DROP FUNCTION refuse_own_edits;
COMMIT;
