-- Revert countinghouse:feed from pg
BEGIN;
REVOKE SELECT (org_id, name, state, last_at) ON ch.ledger_markets FROM ch_cache;
DROP VIEW ch.trades_feed;
DROP INDEX ch.ledger_markets_resolved;
COMMIT;
