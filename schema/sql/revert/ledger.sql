-- Revert countinghouse:ledger from pg
BEGIN;
SET LOCAL search_path = ch;
DROP TABLE reservations, stock, skus, postings, balances, accounts, assets;
DROP SEQUENCE account_seq, sku_seq, reservation_seq;
DELETE FROM retention WHERE table_name = 'postings';
COMMIT;
