-- Revert countinghouse:plans from pg
BEGIN;
SET LOCAL search_path = ch;
DROP FUNCTION replay_plan_returns, replay_plans_returned;
DROP TABLE replay_plan_letters, replay_plans;
COMMIT;
