-- Revert countinghouse:trading from pg

BEGIN;
DROP TABLE ch.own_trades;
DROP TABLE ch.positions;
DROP TABLE ch.ledger_markets;
DROP TABLE ch.order_fills;
DROP TABLE ch.orders;
DROP SEQUENCE ch.order_seq;
DROP SEQUENCE ch.market_seq;
DROP SEQUENCE ch.position_seq;
COMMIT;
