-- Verify countinghouse:snapshots on pg
BEGIN;
SELECT snapshot_id, taken_at, batch_high, xid, lsn, verified_at, base_id,
	batches_out FROM ch.snapshots WHERE false;
SELECT snapshot_id, stream, next_offset, next_log_seq, last_at
	FROM ch.snapshot_streams WHERE false;
SELECT org_id, account_id, shard, posted, n, through FROM ch.sealed_postings
	WHERE false;
-- each copy has the columns of its table behind snapshot_id, in order
SELECT 1 / (array_agg(a.attname || ' ' || a.atttypid::regtype
		ORDER BY a.attnum) = (SELECT array_agg(b.attname || ' ' ||
			b.atttypid::regtype ORDER BY b.attnum) FROM pg_attribute b
		WHERE b.attrelid = ('ch.snapshot_' || t.table_name)::regclass
		AND b.attnum > 1 AND NOT b.attisdropped))::int
	FROM ch.snapshot_tables() t JOIN pg_attribute a
		ON a.attrelid = ('ch.' || t.table_name)::regclass AND a.attnum > 0
		AND NOT a.attisdropped
	GROUP BY t.table_name;
SELECT 1 / has_function_privilege(r, 'ch.take_snapshot(text, text, boolean)',
	'execute')::int FROM unnest(ARRAY['ch_operator', 'ch_reconciler']) AS r;
SELECT 1 / (NOT has_function_privilege(r,
	'ch.take_snapshot(text, text, boolean)', 'execute'))::int
	FROM unnest(ARRAY['ch_writer', 'ch_reader', 'ch_cache', 'ch_relay']) AS r;
SELECT 1 / (NOT has_table_privilege('ch_operator', 'ch.snapshot_balances', p)
	)::int FROM unnest(ARRAY['insert', 'update', 'delete']) AS p;
ROLLBACK;
