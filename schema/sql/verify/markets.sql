-- Verify countinghouse:markets on pg
BEGIN;
SELECT condition_id, prices, tokens, status, fetched_at, changed_at
FROM ch.markets WHERE false;
SELECT 1 / has_table_privilege('ch_cache', 'ch.markets', 'insert')::int;
ROLLBACK;
