-- Deploy countinghouse:plans to pg
-- Dead letters in bulk: plans that are approved before they run and that go on
-- where they stopped.

BEGIN;
SET LOCAL search_path = ch;

-- What is to be replayed, and how far that is. The letters are chosen once,
-- when it is planned: what was approved is what runs. next_place is the
-- cursor: it moves in the transaction that decides the letter.
CREATE TABLE replay_plans (
	plan_id      int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	selection    jsonb NOT NULL,
	reason       text NOT NULL CHECK (reason <> ''),
	planned_by   text NOT NULL CHECK (planned_by <> ''),
	planned_role text NOT NULL DEFAULT session_user,
	planned_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
	two_person   text NOT NULL DEFAULT 'off'
		CHECK (two_person IN ('off', 'actor', 'role')),
	approved_by  text CHECK (approved_by <> ''),
	approved_role text,
	approved_at  timestamptz,
	per_second   int8 CHECK (per_second > 0),       -- NULL: no limit
	bytes_per_second int8 CHECK (bytes_per_second > 0),
	canary       int8 NOT NULL DEFAULT 0 CHECK (canary >= 0),
	canary_returns int8 NOT NULL DEFAULT 0,         -- so many may come back
	canary_passed boolean NOT NULL DEFAULT false,
	replays_max  int4 NOT NULL CHECK (replays_max > 0),
	letters      int8 NOT NULL DEFAULT 0,
	next_place   int8 NOT NULL DEFAULT 1,
	state        text NOT NULL DEFAULT 'planned' CHECK (state IN
		('planned', 'approved', 'running', 'stopped', 'done', 'cancelled')),
	state_reason text NOT NULL DEFAULT '',
	changed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
	CONSTRAINT replay_plans_approved CHECK (
		state IN ('planned', 'cancelled') OR approved_by IS NOT NULL),
	CONSTRAINT replay_plans_two_people CHECK (
		two_person = 'off' OR approved_by <> planned_by),
	CONSTRAINT replay_plans_two_roles CHECK (
		two_person <> 'role' OR approved_role <> planned_role)
);

-- The letters of a plan in their order, and what became of each. sent: to its
-- topic, acknowledged; refused: nothing was left to do; quarantined: the loop
-- guard; held: it stays pending, since it cannot be sent, or since an earlier
-- letter of its key was not. key_digest: of topic and key; NULL without a key.
CREATE TABLE replay_plan_letters (
	plan_id   int8 NOT NULL REFERENCES replay_plans,
	place     int8 NOT NULL,
	letter_id uuid NOT NULL,
	key_digest bytea,
	outcome   text CHECK (outcome IN
		('sent', 'refused', 'quarantined', 'held')),
	detail    text,
	PRIMARY KEY (plan_id, place)
);
CREATE INDEX replay_plan_letters_held ON replay_plan_letters
	(plan_id, key_digest) WHERE outcome IN ('quarantined', 'held');
CREATE INDEX replay_plan_letters_unsent ON replay_plan_letters
	(plan_id, place, outcome)
	WHERE outcome IN ('refused', 'quarantined', 'held');

-- What became of a plan's replays. A rejected record: read again by the ledger,
-- and of those, rejected again (the record at the replay's offset that carries
-- its letter's id). A delivery is done when it is acknowledged; so is a foreign
-- one, unless an import has found it in a dead-letter topic since. An endpoint's
-- is done when it was taken, was refused again, which makes another letter, or
-- was discarded.
CREATE FUNCTION replay_plan_returns(plan int8, OUT sent int8,
	OUT judged int8, OUT returned int8)
	LANGUAGE sql STABLE SET search_path = ch, pg_temp AS $$
	WITH replays AS MATERIALIZED (
		SELECT r.*, EXISTS (SELECT FROM dead_letters d
				WHERE d.letter_id = r.letter_id)
			OR EXISTS (SELECT FROM foreign_letters f
				WHERE f.letter_id = r.letter_id)
			OR EXISTS (SELECT FROM letter_edits e
				WHERE e.letter_id = r.letter_id
				AND e.kind IN ('delivery', 'foreign'))
			AS done_when_sent,
			r.topic LIKE 'webhook:%' AS by_endpoint
		FROM letter_replays r WHERE r.plan_id = plan
	)
	SELECT count(*), count(*) FILTER (WHERE CASE WHEN r.by_endpoint
		THEN EXISTS (SELECT FROM letter_states s
			WHERE s.letter_id = r.letter_id
			AND s.state IN ('resolved', 'discarded'))
		ELSE r.done_when_sent OR c.next_offset > r.log_offset END),
		(SELECT count(*) FROM replays b JOIN rejected j
			ON j.topic = b.topic AND j.part = b.part
			AND j.src_offset = b.log_offset
		WHERE convert_to(b.letter_id::text, 'UTF8') = ANY (j.header_values)
		AND j.decided_at > (SELECT min(at) - interval '1 hour'
			FROM replays))
		+ (SELECT count(DISTINCT b.letter_id) FROM replays b
			JOIN foreign_letters f ON f.came_back = b.letter_id)
		+ (SELECT count(DISTINCT b.letter_id) FROM replays b
			JOIN dead_letters d ON d.came_back = b.letter_id)
	FROM replays r
	LEFT JOIN consumer_partitions c ON c.topic = r.topic AND c.part = r.part
	$$;

-- How many came back of each of these plans; of those that none did, no row. One
-- pass over what was rejected since they were made, and not over what they sent.
CREATE FUNCTION replay_plans_returned(plans int8[])
	RETURNS TABLE (plan_id int8, returned int8)
	LANGUAGE sql STABLE SET search_path = ch, pg_temp AS $$
	WITH back AS MATERIALIZED (
		SELECT j.topic, j.part, j.src_offset, convert_from(h.v, 'UTF8')::uuid
			AS letter_id
		FROM rejected j, unnest(j.header_names, j.header_values) AS h (n, v)
		WHERE j.decided_at > (SELECT min(p.planned_at) - interval '1 hour'
			FROM replay_plans p WHERE p.plan_id = ANY (plans))
		AND 'ch_letter_id' = ANY (j.header_names) AND h.n = 'ch_letter_id'
		AND CASE WHEN octet_length(h.v) = 36 THEN encode(h.v, 'escape') ~
			'^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' END
	)
	SELECT c.plan_id, count(*) FROM (
		SELECT r.plan_id, r.replay_id FROM back b JOIN letter_replays r
			ON r.letter_id = b.letter_id AND r.topic = b.topic
			AND r.part = b.part AND r.log_offset = b.src_offset
		WHERE r.plan_id = ANY (plans)
		UNION
		SELECT r.plan_id, max(r.replay_id) FROM foreign_letters f
		JOIN letter_replays r ON r.letter_id = f.came_back
		WHERE r.plan_id = ANY (plans) GROUP BY r.plan_id, r.letter_id
		UNION
		SELECT r.plan_id, max(r.replay_id) FROM dead_letters d
		JOIN letter_replays r ON r.letter_id = d.came_back
		WHERE r.plan_id = ANY (plans) GROUP BY r.plan_id, r.letter_id
	) c GROUP BY c.plan_id $$;

-- They are made and changed by the functions of decisions.
GRANT SELECT ON replay_plans, replay_plan_letters
	TO ch_operator, ch_relay, ch_reconciler;

COMMIT;
