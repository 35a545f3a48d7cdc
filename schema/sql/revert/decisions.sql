-- Revert countinghouse:decisions from pg
BEGIN;
SET LOCAL search_path = ch;
DROP TRIGGER replay_plans_tried ON replay_plans;
DROP FUNCTION refuse_tried_plan, claim_letter, lock_letter, put_delivery_back, letter_delivered,
	letter_returned, stop_delivery, bury_deliveries, decide_letter,
	edit_letter, insist_import, import_letter, move_import, audit_letters,
	set_two_person, make_plan, plan_overtakes, choose_letters, store_letters,
	approve_plan, turn_plan, pass_canary, begin_page, end_step, locked_plan,
	strictest;
DROP TABLE plan_settings;
DROP AGGREGATE letters_digest (uuid);
DROP FUNCTION letters_digest_step;
DROP FUNCTION letter_key_digest, letter_redirects;
ALTER TABLE replay_plan_letters DROP COLUMN rest, DROP COLUMN topic,
	DROP COLUMN part, DROP COLUMN bytes, DROP COLUMN at;
ALTER TABLE replay_plans DROP COLUMN kind, DROP COLUMN approved_letters,
	DROP COLUMN approved_digest, DROP COLUMN left_digest;
COMMIT;
