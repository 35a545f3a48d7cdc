-- Revert countinghouse:statements from pg
BEGIN;
SET LOCAL search_path = ch;
DROP FUNCTION delivered_between, command_status, command_changes, command_postings,
	check_account, statement, command_accounts, balance_at, minor_at,
	account_of, posted_since, id_of, id_day, id_time;
DROP INDEX answers_decided;
COMMIT;
