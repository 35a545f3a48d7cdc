-- Verify countinghouse:decisions on pg
BEGIN;
SELECT kind, approved_letters, approved_digest, left_digest FROM ch.replay_plans
	WHERE false;
SELECT rest, topic, part, bytes, at FROM ch.replay_plan_letters WHERE false;
-- one digest of letters in their order, another of another order
SELECT 1 / (ch.letters_digest(l ORDER BY n) <> ch.letters_digest(l ORDER BY n DESC))::int
FROM (VALUES (1, '00000000-0000-7000-8000-000000000001'::uuid),
	(2, '00000000-0000-7000-8000-000000000002'::uuid)) AS v(n, l);
-- people decide by the functions, and by nothing else
SELECT 1 / (NOT has_any_column_privilege(who, 'ch.' || t, 'insert, update'))::int
FROM unnest(ARRAY['letter_states', 'letter_replays', 'letter_edits',
	'audit_events', 'replay_plan_letters']) AS t,
	unnest(ARRAY['ch_operator', 'ch_relay']) AS who;
SELECT 1 / (NOT has_any_column_privilege('ch_operator', 'ch.' || t,
	'insert, update'))::int
FROM unnest(ARRAY['webhook_deliveries', 'webhook_keys']) AS t;
SELECT 1 / (NOT has_any_column_privilege('ch_operator', 'ch.' || t,
	'insert, update'))::int
FROM unnest(ARRAY['replay_plans', 'plan_settings', 'foreign_letters',
	'foreign_cursors']) AS t;
SELECT 1 / (count(*) = 1)::int FROM ch.plan_settings;
SELECT 1 / (NOT has_function_privilege('ch_operator',
	'ch.set_two_person(text, text, text, boolean)', 'execute'))::int;
SELECT 1 / (has_function_privilege('ch_operator', p.oid, 'execute')
	AND p.prosecdef AND NOT has_function_privilege('ch_relay', p.oid,
	'execute') AND p.proconfig = ARRAY['search_path=ch, pg_temp'])::int
FROM pg_proc p WHERE p.pronamespace = 'ch'::regnamespace AND p.proname IN
	('lock_letter', 'claim_letter', 'bury_deliveries', 'decide_letter', 'edit_letter', 'import_letter',
	'move_import', 'audit_letters', 'make_plan', 'choose_letters',
	'approve_plan', 'turn_plan', 'pass_canary', 'begin_page', 'end_step');
ROLLBACK;
