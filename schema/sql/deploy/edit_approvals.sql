-- Deploy countinghouse:edit_approvals to pg
-- An edited letter is a message that one person wrote, and an imported one stood in
-- another system's topic on one person's word. Where two people are asked for, the
-- second one is neither.

BEGIN;
SET LOCAL search_path = ch;

-- Of edits the last one counts: what was written over is of no account.
CREATE FUNCTION refuse_own_edits() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
DECLARE
	e record;
BEGIN
	WITH RECURSIVE meant AS (
		SELECT i.place, i.letter_id, i.letter_id AS wrote
		FROM replay_plan_letters i WHERE i.plan_id = NEW.plan_id
		-- an edit says what its original says, but for a part of it
		UNION SELECT m.place, m.letter_id, w.original_id
		FROM meant m JOIN letter_edits w ON w.letter_id = m.wrote
	), wrote AS (
		SELECT m.place, m.letter_id, 'edited' AS how, w.edited_by AS who,
			w.edited_role AS by_role
		FROM meant m JOIN letter_edits w ON w.letter_id = m.wrote
		WHERE m.wrote = m.letter_id
		UNION ALL
		SELECT m.place, m.letter_id, 'imported', f.imported_by,
			f.imported_role
		FROM meant m JOIN foreign_letters f ON f.letter_id = m.wrote
	)
	SELECT w.* INTO e FROM wrote w WHERE w.who = NEW.approved_by
		OR NEW.two_person = 'role' AND w.by_role IN ('', NEW.approved_role)
		ORDER BY w.place LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'letter % of plan % was % by % (database role %) too: '
			'two people are asked for, and who brought a message in does not '
			'approve it', e.letter_id, NEW.plan_id, e.how, e.who, e.by_role
			USING ERRCODE = 'insufficient_privilege',
			HINT = 'let somebody else approve the plan';
	END IF;
	RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION refuse_own_edits FROM PUBLIC;

-- What is discarded reaches nobody, whoever wrote it.
CREATE TRIGGER replay_plans_own_edits BEFORE UPDATE OF state ON replay_plans
	FOR EACH ROW WHEN (NEW.state = 'approved' AND NEW.two_person <> 'off'
		AND NEW.kind = 'replay') EXECUTE FUNCTION refuse_own_edits();

COMMIT;
