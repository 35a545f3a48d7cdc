-- Deploy countinghouse:rates to pg
-- Rate limits: rules, and the window of each actor or share.

BEGIN;
SET LOCAL search_path = ch;

CREATE TABLE rate_rules (
	rule_id  int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name     text NOT NULL UNIQUE CHECK (octet_length(name) BETWEEN 1 AND 64),
	org_id   int4,                      -- NULL: every organisation
	scope    text NOT NULL CHECK (scope IN ('actor', 'org')),
	types    text[] NOT NULL CHECK (cardinality(types) > 0),
	most     int4 NOT NULL CHECK (most BETWEEN 1 AND 10000),
	window_us int8 NOT NULL CHECK (window_us BETWEEN 1000 AND 2678400000000),
	shares   int4 NOT NULL DEFAULT 1 CHECK (shares BETWEEN 1 AND 1024),
	number   int8 NOT NULL,             -- of its last change, from batch_seq
	CHECK (scope = 'org' OR shares = 1),
	CONSTRAINT rate_rules_each_share CHECK (most >= shares)
);

-- stamps: decided_at of the counted commands that may still be inside of the
-- window, in microseconds since 1970, ascending. A row that no window that a
-- rule may have (window_us) can reach any more is as good as none:
-- drop_quiet_windows().
CREATE TABLE rate_windows (
	org_id  int4 NOT NULL,
	rule_id int4 NOT NULL,
	subject text NOT NULL,              -- the actor; of scope org: the share
	stamps  int8[] NOT NULL,
	last_at timestamptz NOT NULL,
	PRIMARY KEY (org_id, rule_id, subject)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);

GRANT SELECT ON rate_rules TO ch_writer, ch_reconciler, ch_operator;
GRANT SELECT, INSERT, UPDATE ON rate_windows TO ch_writer;
GRANT SELECT ON rate_windows TO ch_operator, ch_reconciler;

COMMIT;
