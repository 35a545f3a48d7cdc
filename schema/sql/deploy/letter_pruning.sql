-- Deploy countinghouse:letter_pruning to pg
-- Dead letters that nobody needs any more. They are evidence: nothing prunes
-- them but an operator, by name and reason.

BEGIN;
SET LOCAL search_path = ch;

-- Takes out decided letters of the ledger's own deliveries that were decided
-- more than keep_days ago; at most so many at once, the oldest first. What
-- stays, however old: a pending one; one whose row may be read again (its day is
-- in its table still: it would be delivered after all); one that was edited, is
-- part of a plan, was replayed and not acknowledged, or has rows behind it.
-- Their replays and what the audit trail says of each stay for good. Returns
-- what goes, by source and state; dry_run only returns.
CREATE FUNCTION prune_letters(keep_days int4, actor text, reason text,
	dry_run boolean DEFAULT false, most int4 DEFAULT 100000)
	RETURNS TABLE (source text, state text, letters int8,
		first_parked timestamptz, last_parked timestamptz)
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
DECLARE
	gone  uuid[];
	shown jsonb;
BEGIN
	PERFORM ch.insist_who_and_why('prune_letters', actor, reason);
	IF keep_days IS NULL OR keep_days < 1 OR most IS NULL OR most < 1 THEN
		RAISE EXCEPTION 'keep_days is % and most is %, each is 1 at least',
			coalesce(keep_days::text, 'null'), coalesce(most::text, 'null')
			USING ERRCODE = 'invalid_parameter_value', HINT =
			'SELECT * FROM ch.prune_letters(365, ''you'', ''why'', true)';
	END IF;
	-- locked as by whoever decides one
	SELECT array_agg(c.letter_id ORDER BY c.letter_id) INTO gone FROM (
		SELECT s.letter_id FROM ch.letter_states s
		JOIN ch.dead_letters d USING (letter_id)
		JOIN ch.retention t ON t.table_name = d.source
		WHERE s.state IN ('resolved', 'discarded')
		AND s.changed_at < now() - make_interval(
			days => prune_letters.keep_days)
		-- as letters_readable.sql of outbox-relay says it
		AND ('x' || substr(replace(d.letter_id::text, '-', ''), 1, 12))
			::bit(48)::int8 / 86400000 < t.lowest_day - date '1970-01-03'
		AND NOT EXISTS (SELECT FROM ch.letter_edits e
			WHERE s.letter_id IN (e.letter_id, e.original_id))
		AND NOT EXISTS (SELECT FROM ch.replay_plan_letters p
			WHERE p.letter_id = s.letter_id)
		AND NOT EXISTS (SELECT FROM ch.outbox_retry r
			WHERE r.blocked_by = s.letter_id)
		ORDER BY s.letter_id LIMIT most FOR UPDATE OF s) c;
	SELECT jsonb_agg(to_jsonb(g)) INTO shown FROM (
		SELECT d.source, s.state, count(*) AS letters,
			min(d.parked_at) AS first_parked,
			max(d.parked_at) AS last_parked
		FROM ch.dead_letters d JOIN ch.letter_states s USING (letter_id)
		WHERE d.letter_id = ANY (gone)
		GROUP BY d.source, s.state ORDER BY d.source, s.state) g;
	RETURN QUERY SELECT r.* FROM jsonb_to_recordset(shown) AS r (source text,
		state text, letters int8, first_parked timestamptz,
		last_parked timestamptz);
	IF dry_run OR gone IS NULL THEN
		RETURN;
	END IF;
	DELETE FROM ch.dead_letters d WHERE d.letter_id = ANY (gone);
	DELETE FROM ch.letter_states s WHERE s.letter_id = ANY (gone);
	INSERT INTO ch.audit_events (actor, action, subject, reason, before)
	VALUES (actor, 'prune_letters', 'dead_letters', reason,
		jsonb_build_object('keep_days', keep_days, 'letters',
			cardinality(gone), 'ids_sha256', encode(sha256(convert_to(
			array_to_string(gone, ','), 'UTF8')), 'hex'), 'of', shown));
END $$;
REVOKE ALL ON FUNCTION prune_letters FROM PUBLIC;
GRANT EXECUTE ON FUNCTION prune_letters TO ch_operator;

COMMIT;
