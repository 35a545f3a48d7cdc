-- Revert countinghouse:snapshots from pg
-- Not once postings were sealed: their sums would be lost.
BEGIN;
SELECT 1 / (count(*) = 0)::int AS nothing_sealed FROM ch.sealed_postings;
DROP FUNCTION ch.take_snapshot, ch.verify_snapshot, ch.drop_snapshot,
	ch.snapshot_batches_out, ch.snapshot_posted;
DO $$
DECLARE
	t text;
BEGIN
	FOR t IN SELECT table_name FROM ch.snapshot_tables() LOOP
		EXECUTE format('DROP TABLE ch.%I', 'snapshot_' || t);
	END LOOP;
END $$;
DROP FUNCTION ch.snapshot_tables;
DROP TABLE ch.snapshot_streams, ch.snapshots, ch.sealed_postings;
COMMIT;
