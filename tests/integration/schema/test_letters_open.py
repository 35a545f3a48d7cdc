"""Letters that wait are found without those that are decided."""

import json
import uuid

from harness.cell import ROOT

OPEN = (ROOT / "services/outbox-relay/sql/letters_open.sql").read_text()


def run(db, text, *args):
    with db.cursor() as cur:
        cur.execute(text, args or None)
        return cur.fetchall() if cur.description else None


def letters(db, count):
    return [row[0] for row in run(
        db, "INSERT INTO dead_letters (letter_id, source, row_id, topic, "
        "error_class, reason, attempts, blocks_key) SELECT gen_random_uuid(), "
        "'outbox', n::text, 't', 'c', 'r', 1, false "
        "FROM generate_series(1, %s) n RETURNING letter_id::text", count)]


def test_each_decision_is_seen(db):
    """The metric counts what the states say."""
    made = letters(db, 6)

    def counted():
        (open_,), = run(db, OPEN)
        (pending,), = run(
            db, "SELECT count(*) FROM dead_letters LEFT JOIN letter_states s "
            "USING (letter_id) WHERE coalesce(s.state, 'pending') = 'pending'")
        assert open_ == pending
        return open_
    assert counted() == 6
    decide = "SELECT decide_letter(%s, %s, 'ann', 'r', %s, %s, 0, 1)"
    run(db, "SELECT decide_letter(%s, 'discarded', 'ann', 'r', 0)", made[0])
    assert counted() == 5
    run(db, decide, made[1], "replayed", 1, "t")
    assert counted() == 4
    # it came back too often: it waits again
    run(db, "SELECT decide_letter(%s, 'quarantined', 'ann', 'r', 1)", made[1])
    assert counted() == 5
    run(db, decide, made[1], "resolved", 2, "t")
    run(db, "SELECT lock_letter(%s)", made[2])  # a row, and pending still
    assert counted() == 4
    edit = str(uuid.uuid4())
    run(db, "SELECT edit_letter(%s, %s, 'x', '{\"at\": 0, \"removed\": \"\", "
        "\"inserted\": \"78\"}', 'ann', 'r')", made[2], edit)
    assert counted() == 4  # until the edit is decided
    run(db, decide, edit, "resolved", 1, "t")
    assert counted() == 3


def test_counting_does_not_read_what_is_decided(db):
    made = letters(db, 20000)
    run(db, "INSERT INTO letter_states (letter_id, state) "
        "SELECT unnest(%s::uuid[]), 'resolved'", made[50:])
    run(db, "VACUUM ANALYZE dead_letters")
    run(db, "VACUUM ANALYZE letter_states")
    assert run(db, OPEN) == [(50,)]
    (plan,), = run(db, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + OPEN)
    top = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    assert top["Shared Hit Blocks"] + top["Shared Read Blocks"] < 100, top


def test_counting_has_an_end(db):
    letters(db, 10005)
    assert run(db, OPEN) == [(10000,)]
