-- Deploy countinghouse:ledger to pg
-- The books: what is immutable (names, assets) stands apart from the narrow
-- hot rows (balances, stock) that a batch writes once each. No foreign keys
-- and no triggers here: the writer checks in memory, the reconciler checks
-- the result (ch.reconcile), the CHECKs below are the last line.

BEGIN;
SET LOCAL search_path = ch;

CREATE TABLE assets (
	org_id int4 NOT NULL,
	name   text COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 128),
	scale  int2 NOT NULL CHECK (scale BETWEEN 0 AND 8),
	PRIMARY KEY (org_id, name)
);

CREATE SEQUENCE account_seq AS int8 CACHE 1;
CREATE TABLE accounts (
	org_id     int4 NOT NULL,
	account_id int8 NOT NULL,
	name       text COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 128),
	asset      text NOT NULL,
	scale      int2 NOT NULL,          -- the asset's, which never changes
	shards     int2 NOT NULL DEFAULT 0, -- 0: one row; n: one per partition
	PRIMARY KEY (org_id, account_id),
	UNIQUE (org_id, name)
);

-- balance and held in minor units. available = balance - held - floor.
CREATE TABLE balances (
	org_id     int4 NOT NULL,
	account_id int8 NOT NULL,
	shard      int2 NOT NULL DEFAULT 0,
	balance    int8 NOT NULL DEFAULT 0,
	held       int8 NOT NULL DEFAULT 0 CHECK (held >= 0),
	floor      int8,                   -- NULL: none
	version    int8 NOT NULL DEFAULT 0,
	closed     boolean NOT NULL DEFAULT false,
	last_at    timestamptz NOT NULL,   -- decided_at of the last change
	PRIMARY KEY (org_id, account_id, shard),
	CONSTRAINT balances_floor CHECK (floor IS NULL OR balance - held >= floor)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);

-- Signed: a debit is negative. The postings of one command sum to zero per
-- asset. leg counts through the command's moves; (batch, pos) orders decisions.
CREATE TABLE postings (
	org_id        int4 NOT NULL,
	account_id    int8 NOT NULL,
	batch         int8 NOT NULL,
	pos           int4 NOT NULL,
	leg           int2 NOT NULL,
	shard         int2 NOT NULL,
	amount        int8 NOT NULL CHECK (amount <> 0),
	balance_after int8 NOT NULL,
	command_id    uuid NOT NULL,
	decided_at    timestamptz NOT NULL
) PARTITION BY RANGE (decided_at);
CREATE INDEX postings_account ON postings (org_id, account_id, batch, pos, leg);

CREATE SEQUENCE sku_seq AS int8 CACHE 1;
CREATE TABLE skus (
	org_id int4 NOT NULL,
	sku_id int8 NOT NULL,
	name   text COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 128),
	PRIMARY KEY (org_id, sku_id),
	UNIQUE (org_id, name)
);

-- Whole units. available = on_hand - reserved.
CREATE TABLE stock (
	org_id   int4 NOT NULL,
	sku_id   int8 NOT NULL,
	on_hand  int8 NOT NULL DEFAULT 0,
	reserved int8 NOT NULL DEFAULT 0,
	version  int8 NOT NULL DEFAULT 0,
	last_at  timestamptz NOT NULL,
	PRIMARY KEY (org_id, sku_id),
	CONSTRAINT stock_covers CHECK (0 <= reserved AND reserved <= on_hand)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);

CREATE SEQUENCE reservation_seq AS int8 CACHE 1;
CREATE TABLE reservations (
	org_id         int4 NOT NULL,
	reservation_id int8 NOT NULL,
	sku_id         int8 NOT NULL,
	name           text COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 160),
	qty            int8 NOT NULL CHECK (qty > 0),
	state          text NOT NULL DEFAULT 'reserved'
		CHECK (state IN ('reserved', 'committed', 'released', 'expired')),
	committed_qty  int8 NOT NULL DEFAULT 0
		CHECK (committed_qty BETWEEN 0 AND qty),
	expires_at     timestamptz,            -- NULL: never by itself
	stream         int4 NOT NULL,          -- whose owner sweeps it
	version        int8 NOT NULL DEFAULT 1,
	last_at        timestamptz NOT NULL,
	PRIMARY KEY (org_id, reservation_id),
	UNIQUE (org_id, name)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX reservations_due_sku ON reservations (org_id, sku_id, expires_at,
	reservation_id)
	WHERE state = 'reserved';
CREATE INDEX reservations_due_stream ON reservations (stream, expires_at)
	WHERE state = 'reserved';

INSERT INTO retention VALUES ('postings', 36500,
	(now() AT TIME ZONE 'UTC')::date - 1);
SELECT ensure_partitions();

GRANT SELECT, INSERT ON assets, accounts, postings, skus TO ch_writer;
GRANT SELECT, INSERT, UPDATE ON balances, stock, reservations TO ch_writer;
GRANT USAGE ON SEQUENCE account_seq, sku_seq, reservation_seq TO ch_writer;
GRANT SELECT ON assets, accounts, balances, postings, skus, stock, reservations
	TO ch_reconciler, ch_operator;

COMMIT;
