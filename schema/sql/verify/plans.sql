-- Verify countinghouse:plans on pg
BEGIN;
SELECT plan_id, state, next_place FROM ch.replay_plans WHERE false;
SELECT plan_id, place, outcome FROM ch.replay_plan_letters WHERE false;
SELECT sent, judged, returned FROM ch.replay_plan_returns(0);
SELECT plan_id, returned FROM ch.replay_plans_returned('{}');
-- nobody approves but by the function
SELECT 1 / (NOT has_column_privilege('ch_operator', 'ch.replay_plans',
	column_name, privilege))::int
FROM unnest(ARRAY['approved_by', 'approved_role', 'planned_role']) AS column_name,
	unnest(ARRAY['insert', 'update']) AS privilege;
ROLLBACK;
