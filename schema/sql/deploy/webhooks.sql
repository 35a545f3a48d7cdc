-- Deploy countinghouse:webhooks to pg
-- Events on their way to HTTP endpoints: each delivery a row, so that no
-- endpoint holds back Kafka or the position in the WAL.

BEGIN;
SET LOCAL search_path = ch;

-- One row an event and endpoint; delivery_id is the order. content: a digest of
-- an application's key and value, whose ids may come again with other events; 0:
-- of the ledger's, whose ids never do; NULL: not known, of before it was kept.
-- done_at: delivered or a dead letter; such a row stays for a while without its
-- body, so that an event that is read again makes no second delivery. webhook_id: what the
-- receiver sees: the event's id, or an edited letter's. letter_id: the dead
-- letter that it became, also while it is being sent again.
CREATE TABLE webhook_deliveries (
	delivery_id   int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	endpoint      text NOT NULL,
	event_id      text NOT NULL,
	webhook_id    text NOT NULL,
	key_digest    bytea NOT NULL,     -- of the key; without one: of the id
	record_key    bytea,
	aggregatetype text NOT NULL,
	type          text NOT NULL,
	body          bytea,
	traceparent   text,
	at            timestamptz NOT NULL,
	attempts      int4 NOT NULL DEFAULT 0,
	replays       int4 NOT NULL DEFAULT 0,
	last_status   int4,               -- 0: no answer
	last_response bytea,
	done_at       timestamptz,
	letter_id     uuid,
	content       int4,
	UNIQUE (endpoint, event_id, content)
);
CREATE INDEX webhook_deliveries_next ON webhook_deliveries
	(endpoint, key_digest, delivery_id) WHERE done_at IS NULL;
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries
	(endpoint, delivery_id) WHERE done_at IS NULL;
CREATE INDEX webhook_deliveries_done ON webhook_deliveries (done_at)
	WHERE letter_id IS NULL;
CREATE INDEX webhook_deliveries_letter ON webhook_deliveries (letter_id)
	WHERE letter_id IS NOT NULL;

-- Keys with something to send: their first pending row is next, when next_at
-- has come. blocked_by: the letter that the key waits behind. version counts
-- changes: a key that was seen empty is only taken out unchanged.
CREATE TABLE webhook_keys (
	endpoint   text NOT NULL,
	key_digest bytea NOT NULL,
	next_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	version    int8 NOT NULL DEFAULT 0,
	blocked_by uuid,
	blocked_at timestamptz,
	PRIMARY KEY (endpoint, key_digest)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0,
	autovacuum_vacuum_threshold = 1000);
CREATE INDEX webhook_keys_due ON webhook_keys (endpoint, next_at)
	WHERE blocked_by IS NULL;
CREATE INDEX webhook_keys_blocked ON webhook_keys (endpoint, blocked_at)
	WHERE blocked_by IS NOT NULL;

-- What waits behind dead letters, of either kind of target: since when, and
-- how many rows.
CREATE VIEW blocked_keys AS
	SELECT d.topic, d.record_key, d.letter_id, d.parked_at AS since,
		(SELECT count(*) FROM outbox_retry r
			WHERE r.blocked_by = d.letter_id) AS waiting
	FROM dead_letters d
	WHERE d.is_open AND d.blocks_key AND d.record_key IS NOT NULL
	AND d.topic NOT LIKE 'webhook:%'
	UNION ALL
	-- decided, and what waited is on its way
	SELECT d.topic, d.record_key, d.letter_id, d.parked_at,
		(SELECT count(*) FROM outbox_retry r
			WHERE r.blocked_by = d.letter_id)
	FROM dead_letters d
	WHERE d.letter_id IN (SELECT r.blocked_by FROM outbox_retry r)
	AND NOT d.is_open AND d.blocks_key AND d.record_key IS NOT NULL
	AND d.topic NOT LIKE 'webhook:%'
	UNION ALL
	SELECT 'webhook:' || k.endpoint, d.record_key, k.blocked_by,
		k.blocked_at, (SELECT count(*) FROM webhook_deliveries w
			WHERE w.endpoint = k.endpoint
			AND w.key_digest = k.key_digest AND w.done_at IS NULL)
	FROM webhook_keys k JOIN dead_letters d ON d.letter_id = k.blocked_by
	WHERE k.blocked_by IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_deliveries, webhook_keys
	TO ch_relay;
GRANT SELECT ON webhook_deliveries, webhook_keys TO ch_operator;
GRANT SELECT ON webhook_deliveries, webhook_keys TO ch_reconciler;
GRANT SELECT ON blocked_keys TO ch_relay, ch_operator, ch_reconciler;

COMMIT;
