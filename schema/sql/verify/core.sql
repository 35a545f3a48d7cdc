-- Verify countinghouse:core on pg
BEGIN;
SELECT org_id, name FROM ch.orgs WHERE false;
SELECT event_id, at, actor, action, subject, reason FROM ch.audit_events WHERE false;
SELECT table_name, keep_days, lowest_day FROM ch.retention WHERE false;
SELECT parent, made_at FROM ch.untold_partitions WHERE false;
SELECT 1 / has_function_privilege('ch_writer',
	'ch.ensure_partition(text, date)', 'execute')::int;
ROLLBACK;
