-- Deploy countinghouse:feed to pg
-- The market's trades as the application shows them: those of a market that
-- was resolved more than 7 days ago have left. The rows stay as long as
-- retention keeps their day.
--
-- Resolved is what price-cache has seen resolved (a winner's price is 1) and
-- what the books have settled under the condition's id, whatever the payouts:
-- a 50/50 or void market never gets a winner's price. The earlier of the two
-- counts. A settlement moves its market last with the last page that it pays.
-- Whoever asks sees the settlements that he may read, services all, a reader
-- those of its own organisations: none takes trades out of another's feed.

BEGIN;
SET LOCAL search_path = ch;

CREATE INDEX ledger_markets_resolved ON ledger_markets (name)
	WHERE state <> 'open';

CREATE VIEW trades_feed WITH (security_invoker) AS
	SELECT t.* FROM trades_public t
	WHERE NOT EXISTS (SELECT FROM markets m
		WHERE m.condition_id = t.condition_id AND m.status = 'resolved'
		AND m.changed_at < now() - interval '7 days')
	AND NOT EXISTS (SELECT FROM ledger_markets m
		WHERE m.name = t.condition_id AND m.state <> 'open'
		AND m.last_at < now() - interval '7 days');
GRANT SELECT ON trades_feed TO ch_cache, ch_reader, ch_operator, ch_reconciler;
GRANT SELECT (org_id, name, state, last_at) ON ledger_markets TO ch_cache;

COMMIT;
