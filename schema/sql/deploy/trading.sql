-- Deploy countinghouse:trading to pg
-- Orders and their fills; markets, positions, own trades and settlements.
-- Units (qty) are decimals at scale 8; locks and amounts are minor units of the
-- account's asset.

BEGIN;
SET LOCAL search_path = ch;

CREATE SEQUENCE order_seq AS int8 CACHE 1;
CREATE TABLE orders (
	org_id   int4 NOT NULL,
	order_id int8 NOT NULL,
	name     text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 160),
	market   text NOT NULL,
	side     text NOT NULL CHECK (side IN ('BUY', 'SELL')),
	qty      int8 NOT NULL CHECK (qty > 0),
	filled   int8 NOT NULL DEFAULT 0 CHECK (filled BETWEEN 0 AND qty),
	price    text,
	state    text NOT NULL CHECK (state IN ('placed', 'pending', 'partial',
		'filled', 'cancelled', 'lost')),
	version  int8 NOT NULL,
	last_at  timestamptz NOT NULL,
	PRIMARY KEY (org_id, order_id),
	UNIQUE (org_id, name)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);

-- A fill is known by the venue's name for it, so that it counts once.
CREATE TABLE order_fills (
	org_id     int4 NOT NULL,
	order_id   int8 NOT NULL,
	fill       text NOT NULL CHECK (octet_length(fill) BETWEEN 1 AND 128),
	qty        int8 NOT NULL CHECK (qty > 0),
	price      text,
	command_id uuid NOT NULL,
	decided_at timestamptz NOT NULL,
	PRIMARY KEY (org_id, order_id, fill)
);

-- A market as the books know it: born by its first trade or deployment. While
-- it is settling, payer's held includes reserved - paid - unpaid.
CREATE SEQUENCE market_seq AS int8 CACHE 1;
CREATE TABLE ledger_markets (
	org_id         int4 NOT NULL,
	market_id      int8 NOT NULL,
	name           text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 128),
	asset          text,                -- of its stakes; NULL: no trade yet
	address        text,                -- NULL: not deployed
	state          text NOT NULL CHECK (state IN
		('open', 'settling', 'settled')),
	payer_id       int8,                -- account; from settling on
	payouts        text,                -- as sent
	reserved       int8 NOT NULL DEFAULT 0,
	paid           int8 NOT NULL DEFAULT 0,
	unpaid         int8 NOT NULL DEFAULT 0,
	holders        int8 NOT NULL DEFAULT 0, -- positions that were paid
	unpaid_holders int8 NOT NULL DEFAULT 0,
	page           int8 NOT NULL DEFAULT 0, -- pages done
	cursor         int8 NOT NULL DEFAULT 0, -- last position_id that was paid
	owed           numeric NOT NULL DEFAULT 0, -- exact sum of units * price so
		-- far, in 1e-16; paid + unpaid = floor of it in minor units
	stream         int4 NOT NULL DEFAULT 0, -- whose owner pays the pages
	version        int8 NOT NULL,
	last_at        timestamptz NOT NULL,
	PRIMARY KEY (org_id, market_id),
	UNIQUE (org_id, name)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX ledger_markets_settling ON ledger_markets (stream)
	WHERE state = 'settling';

-- What a user holds of one outcome. Changed only under the lock of his stake
-- account's row.
CREATE SEQUENCE position_seq AS int8 CACHE 1;
CREATE TABLE positions (
	org_id      int4 NOT NULL,
	position_id int8 NOT NULL,
	account_id  int8 NOT NULL,          -- the stake account
	market_id   int8 NOT NULL,
	outcome     text NOT NULL CHECK (octet_length(outcome) BETWEEN 1 AND 128),
	qty         int8 NOT NULL CHECK (qty >= 0),
	lock        int8 NOT NULL CHECK (lock >= 0),
	belief      int8,                   -- at scale 8, of the last that said
	meta        int8,
	paid        int8,                   -- NULL: not settled, or not payable
	version     int8 NOT NULL,
	last_at     timestamptz NOT NULL,
	PRIMARY KEY (org_id, position_id),
	UNIQUE (org_id, account_id, market_id, outcome)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX positions_market ON positions (org_id, market_id, position_id);
CREATE INDEX positions_locked ON positions (org_id, account_id)
	WHERE lock > 0;

-- The platform's own trades, by the transaction's signature: a second report
-- confirms, it never doubles.
CREATE TABLE own_trades (
	org_id       int4 NOT NULL,
	tx           text NOT NULL CHECK (octet_length(tx) BETWEEN 1 AND 128),
	account_id   int8 NOT NULL,
	market_id    int8 NOT NULL,
	outcome      text NOT NULL,
	side         text NOT NULL CHECK (side IN ('BUY', 'SELL')),
	position     int8 NOT NULL,
	lock         int8 NOT NULL,
	skim         int8 NOT NULL DEFAULT 0,
	qty          text,
	price        text,
	state        text NOT NULL CHECK (state IN ('recorded', 'confirmed')),
	recorded_by  uuid NOT NULL,
	recorded_at  timestamptz NOT NULL,
	confirmed_by uuid,
	confirmed_at timestamptz,
	PRIMARY KEY (org_id, tx)
) WITH (fillfactor = 80);
CREATE INDEX own_trades_account ON own_trades (org_id, account_id, recorded_at);

GRANT SELECT, INSERT, UPDATE ON orders, ledger_markets, positions, own_trades
	TO ch_writer;
GRANT SELECT, INSERT ON order_fills TO ch_writer;
GRANT USAGE ON SEQUENCE order_seq, market_seq, position_seq TO ch_writer;
GRANT SELECT ON orders, order_fills, ledger_markets, positions, own_trades
	TO ch_reconciler, ch_operator;

COMMIT;
