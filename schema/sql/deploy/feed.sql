-- Deploy countinghouse:feed to pg
-- The market's trades as the application shows them: those of a market that
-- was resolved more than 7 days ago have left. The rows stay as long as
-- retention keeps their day.

BEGIN;
SET LOCAL search_path = ch;

CREATE VIEW trades_feed WITH (security_invoker) AS
	SELECT t.* FROM trades_public t
	WHERE NOT EXISTS (SELECT FROM markets m
		WHERE m.condition_id = t.condition_id AND m.status = 'resolved'
		AND m.changed_at < now() - interval '7 days');
GRANT SELECT ON trades_feed TO ch_cache, ch_reader, ch_operator, ch_reconciler;

COMMIT;
