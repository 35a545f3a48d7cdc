-- Revert countinghouse:invariants from pg
BEGIN;
SET LOCAL search_path = ch;
ALTER TABLE rate_rules DROP CONSTRAINT rate_rules_org_id_fkey;
DROP VIEW check_held, check_orders, check_markets, check_references;
DROP FUNCTION order_name, market_name;
COMMIT;
