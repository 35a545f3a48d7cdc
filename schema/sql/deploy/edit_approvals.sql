-- Deploy countinghouse:edit_approvals to pg
-- An edited letter is a message that one person wrote. Where two people are asked
-- for, the second one is not its author.

BEGIN;
SET LOCAL search_path = ch;

-- Of the letters as they are: what was written over is of no account.
CREATE FUNCTION refuse_own_edits() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
DECLARE
	e letter_edits;
BEGIN
	SELECT w.* INTO e FROM replay_plan_letters i
		JOIN letter_edits w USING (letter_id)
		WHERE i.plan_id = NEW.plan_id AND (w.edited_by = NEW.approved_by
			OR NEW.two_person = 'role'
			AND w.edited_role IN ('', NEW.approved_role))
		ORDER BY i.place LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'letter % of plan % was edited by % (database role %) '
			'too: two people are asked for, and who wrote a message does not '
			'approve it', e.letter_id, NEW.plan_id, e.edited_by, e.edited_role
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
