-- Deploy countinghouse:trades to pg
-- The market's trades, one row each. trade_id is the record's own identity
-- (made by trade-stream), so that a record delivered again adds no row.

BEGIN;
SET LOCAL search_path = ch;

CREATE TABLE trades_public (
	trade_id     bytea NOT NULL CHECK (octet_length(trade_id) = 32),
	traded_at    timestamptz NOT NULL,
	condition_id text NOT NULL,
	asset        text NOT NULL,       -- token id, up to 78 digits
	wallet       text NOT NULL,       -- lower case
	side         text NOT NULL CHECK (side IN ('BUY', 'SELL')),
	price        text NOT NULL,       -- as the feed sent it, exactly
	size         text NOT NULL,
	outcome      text NOT NULL DEFAULT '',
	tx_hash      text NOT NULL,
	source       text NOT NULL,       -- trades, orders_matched, backfill
	stream       int4 NOT NULL,
	src_offset   int8 NOT NULL,
	batch        int8 NOT NULL,
	PRIMARY KEY (trade_id, traded_at)
) PARTITION BY RANGE (traded_at);
CREATE INDEX trades_public_market ON trades_public (condition_id, traded_at);

INSERT INTO retention VALUES
	('trades_public', 30, (now() AT TIME ZONE 'UTC')::date - 30);
SELECT ensure_partitions();
GRANT SELECT, INSERT ON trades_public TO ch_writer;
GRANT SELECT ON trades_public TO ch_reconciler, ch_cache, ch_operator, ch_reader;

COMMIT;
