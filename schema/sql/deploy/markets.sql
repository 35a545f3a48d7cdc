-- Deploy countinghouse:markets to pg
-- The last price of each market that price-cache has seen, written on the
-- side: price-cache serves without it, and begins with it after a restart.

BEGIN;
SET LOCAL search_path = ch;

CREATE TABLE markets (
	condition_id text PRIMARY KEY CHECK (octet_length(condition_id) <= 128),
	question     text NOT NULL DEFAULT '',
	outcomes     text[] NOT NULL,
	prices       text[] NOT NULL,     -- exact decimal text, one per outcome
	tokens       text[] NOT NULL,     -- one per outcome; '' = not known
	status       text NOT NULL CHECK (status IN ('open', 'closed', 'resolved')),
	source       text NOT NULL,       -- which upstream said so
	fetched_at   timestamptz NOT NULL,
	changed_at   timestamptz NOT NULL, -- when the price became this one
	updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
	CHECK (cardinality(prices) = cardinality(outcomes)),
	CHECK (cardinality(tokens) = cardinality(outcomes))
) WITH (fillfactor = 70);
GRANT SELECT, INSERT, UPDATE ON markets TO ch_cache;
GRANT SELECT ON markets TO ch_reader, ch_operator, ch_reconciler;

COMMIT;
