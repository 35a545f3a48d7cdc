-- Revert countinghouse:reconcile from pg
BEGIN;
SET LOCAL search_path = ch;
REVOKE EXECUTE ON FUNCTION ensure_partitions FROM ch_reconciler;
DROP FUNCTION summarize_postings();
DROP VIEW check_transfers, check_balances, check_stock, check_floors,
	check_log_seq;
DROP FUNCTION posting_sums, transfers_unbalanced, posting_rows, log_seq_breaks,
	log_seq_beyond, account_subject, account_name, sku_name, org_name;
DROP FUNCTION tell_break, break_alert;
DROP TABLE breaks, ledger_buckets, reconcile_progress, reconcile_streams;
DROP INDEX postings_batch;
COMMIT;
