-- Revert countinghouse:statements from pg
BEGIN;
SET LOCAL search_path = ch;
DROP FUNCTION command_status, command_changes, command_postings,
	delivered_between, check_account, statement, by_ref, command_accounts,
	balance_at, minor_at,
	account_of, posted_since, id_of, id_day, id_time;
DROP INDEX answers_decided;
COMMIT;
