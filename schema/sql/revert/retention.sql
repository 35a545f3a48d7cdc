-- Revert countinghouse:retention from pg
BEGIN;
SET LOCAL search_path = ch;
DROP FUNCTION retention_status, finish_drop, begin_drop, drop_day_script,
	drop_due_days, day_as_audited, drop_day, drop_days, detach_day, seal_day,
	retire_day, forget_marks, lock_to_detach, lock_day, record_archive, confirm_archive,
	forget_slot, close_day, set_keep_days, insist_day_may_go, insist_by,
	day_conditions, conditions_by, slot_has_all, day_facts, day_tops;
DROP INDEX letter_states_pending;
CREATE OR REPLACE VIEW check_balances AS
	SELECT format('balances/%s/%s', ch.org_name(org_id),
			ch.account_subject(org_id, account_id, shard)) AS break_key,
		ch.org_name(org_id) AS org,
		ch.account_subject(org_id, account_id, shard) AS subject,
		coalesce(p.posted, 0) AS expected, b.balance::numeric AS found,
		coalesce(b.balance, 0) - coalesce(p.posted, 0) AS difference,
		NULL::int8 AS low, NULL::int8 AS high
	FROM ch.balances b FULL JOIN (
		SELECT org_id, account_id, shard, sum(amount) AS posted
		FROM ch.postings GROUP BY 1, 2, 3) p
		USING (org_id, account_id, shard)
	WHERE b.balance IS DISTINCT FROM coalesce(p.posted, 0);
DROP TABLE archives;
ALTER TABLE retention DROP first_day, DROP least_days, DROP needs_snapshot,
	DROP needs_delivery, DROP needs_archive;
COMMIT;
