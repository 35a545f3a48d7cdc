-- Revert countinghouse:limits from pg
BEGIN;
DROP FUNCTION ch.set_rate_rule, ch.drop_rate_rule, ch.drop_quiet_windows,
	ch.try_rate_rule, ch.put_rate_rule, ch.insist_countable;
COMMIT;
