-- Deploy countinghouse:holds to pg
-- Money set aside, transfers that were reversed, and which days they keep.

BEGIN;
SET LOCAL search_path = ch;

-- A hold ends exactly once: captured (a part releases the rest), voided or
-- expired. The account's held is the sum of its open holds, the locks of its
-- positions and what a settlement that it pays has still to pay.
CREATE SEQUENCE hold_seq AS int8 CACHE 1;
CREATE TABLE holds (
	org_id     int4 NOT NULL,
	hold_id    int8 NOT NULL,
	account_id int8 NOT NULL,
	name       text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 160),
	amount     int8 NOT NULL CHECK (amount > 0),
	state      text NOT NULL DEFAULT 'held'
		CHECK (state IN ('held', 'captured', 'voided', 'expired')),
	captured   int8 NOT NULL DEFAULT 0
		CHECK (captured BETWEEN 0 AND amount),
	expires_at timestamptz,            -- NULL: never by itself
	stream     int4 NOT NULL,          -- whose owner sweeps it
	version    int8 NOT NULL DEFAULT 1,
	last_at    timestamptz NOT NULL,
	PRIMARY KEY (org_id, hold_id),
	UNIQUE (org_id, name)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX holds_due_account ON holds (org_id, account_id, expires_at, hold_id)
	WHERE state = 'held';
CREATE INDEX holds_due_stream ON holds (stream, expires_at)
	WHERE state = 'held';

-- A transfer is reversed once. member: its place in a group, -1 when it was a
-- command of its own. Insert-only; the key is what makes it once.
CREATE TABLE reversals (
	org_id      int4 NOT NULL,
	transfer_id uuid NOT NULL,
	member      int4 NOT NULL CHECK (member >= -1),
	reversed_by uuid NOT NULL,
	batch       int8 NOT NULL,
	decided_at  timestamptz NOT NULL,
	PRIMARY KEY (org_id, transfer_id, member)
);

GRANT SELECT, INSERT, UPDATE ON holds TO ch_writer;
GRANT SELECT, INSERT ON reversals TO ch_writer;
GRANT USAGE ON SEQUENCE hold_seq TO ch_writer;
GRANT SELECT ON holds, reversals TO ch_reconciler, ch_operator;

COMMIT;
