-- Verify countinghouse:ledger on pg
BEGIN;
SELECT balance, held, floor, version, last_at FROM ch.balances WHERE false;
SELECT amount, balance_after, command_id FROM ch.postings WHERE false;
SELECT on_hand, reserved, version FROM ch.stock WHERE false;
SELECT state, qty, expires_at FROM ch.reservations WHERE false;
-- the writer can neither change nor delete a posting
SELECT 1 / (NOT has_table_privilege('ch_writer', 'ch.postings', 'update'))::int;
SELECT 1 / (NOT has_table_privilege('ch_writer', 'ch.postings', 'delete'))::int;
ROLLBACK;
