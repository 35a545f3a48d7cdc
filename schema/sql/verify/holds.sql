-- Verify countinghouse:holds on pg

BEGIN;
SELECT org_id, hold_id, account_id, name, amount, state, captured, expires_at, stream, version, last_at
	FROM ch.holds WHERE false;
SELECT org_id, transfer_id, member, reversed_by, batch, decided_at
	FROM ch.reversals WHERE false;
ROLLBACK;
