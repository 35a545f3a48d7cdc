"""Decided letters go when an operator says so, and no others."""

import uuid

import psycopg2
import pytest


@pytest.fixture
def operator(cell, database):
    made = cell.connect("operator", database)
    yield made
    made.close()


def run(db, text, *args):
    with db.cursor() as cur:
        cur.execute(text, args or None)
        return cur.fetchall() if cur.description else None


def letter(db, state, row_days=100, decided_days=50, source="outbox"):
    """A letter whose row was written and that was decided so many days ago."""
    (ms,), = run(db, "SELECT (extract(epoch FROM now() - %s * interval "
                 "'1 day') * 1000)::int8", row_days)
    made = str(uuid.UUID(int=(ms << 80) | (7 << 76) | (2 << 62)
                         | uuid.uuid4().int % (1 << 62)))
    run(db, "INSERT INTO dead_letters (letter_id, source, row_id, topic, "
        "error_class, reason, attempts, blocks_key) "
        "VALUES (%s, %s, %s, 't', 'c', 'r', 1, false)", made, source, made)
    if state != "pending":
        run(db, "INSERT INTO letter_states (letter_id, state, changed_at) "
            "VALUES (%s, %s, now() - %s * interval '1 day')",
            made, state, decided_days)
    return made


def prune(db, keep=30, **more):
    extra = "".join(f", {k} => {v}" for k, v in more.items())
    return [r[:3] for r in run(
        db, f"SELECT * FROM ch.prune_letters(%s, 'ann', 'INC-3'{extra})",
        keep)]


def left(db):
    return {r[0] for r in run(db, "SELECT letter_id FROM dead_letters")}


def test_only_what_nobody_needs_goes(db, operator):
    gone = {letter(db, "resolved"), letter(db, "discarded"),
            letter(db, "discarded", source="answers")}
    kept = {letter(db, "pending"),
            letter(db, "replayed"),                   # not acknowledged
            letter(db, "discarded", decided_days=29),
            letter(db, "discarded", row_days=1),      # it may be read again
            letter(db, "discarded", source="webhook"),
            letter(db, "discarded", source="public.outbox")}
    behind, planned, edited = (letter(db, "discarded") for _ in range(3))
    run(db, "INSERT INTO outbox_retry (blocked_by, source, row_id, topic) "
        "VALUES (%s, 'outbox', 'x', 't')", behind)
    run(db, "INSERT INTO replay_plans (selection, reason, planned_by, "
        "replays_max) VALUES ('{}', 'r', 'ann', 5)")
    run(db, "INSERT INTO replay_plan_letters (plan_id, place, letter_id) "
        "SELECT plan_id, 1, %s FROM replay_plans", planned)
    run(db, "INSERT INTO letter_edits SELECT gen_random_uuid(), letter_id, "
        "'delivery', topic, part, NULL, row_id, NULL, record_key, value, "
        "header_names, header_values, error_class, reason, attempts, NULL, "
        "parked_at, blocks_key, '{}', 'ann', 'r' FROM dead_letters "
        "WHERE letter_id = %s", edited)
    kept |= {behind, planned, edited}

    would = [("answers", "discarded", 1), ("outbox", "discarded", 1),
             ("outbox", "resolved", 1)]
    assert prune(operator, dry_run=True) == would
    assert left(db) == gone | kept
    assert run(db, "SELECT count(*) FROM audit_events WHERE action = "
               "'prune_letters'") == [(0,)]

    assert prune(operator) == would
    assert left(db) == kept
    assert run(db, "SELECT count(*) FROM letter_states WHERE letter_id = "
               "ANY (%s::uuid[])", sorted(gone)) == [(0,)]
    assert run(db, "SELECT actor, reason, (before->>'letters')::int, "
               "before->>'ids_sha256' = encode(sha256(convert_to(%s, "
               "'UTF8')), 'hex') FROM audit_events WHERE action = "
               "'prune_letters'", ",".join(sorted(gone))) == [
                   ("ann", "INC-3", 3, True)]
    # nothing is left to do: no row, and no line
    assert prune(operator) == []
    assert run(db, "SELECT count(*) FROM audit_events WHERE action = "
               "'prune_letters'") == [(1,)]


def test_so_many_at_once_the_oldest_first(db, operator):
    made = [letter(db, "discarded", row_days=100 - n) for n in range(5)]
    assert prune(operator, most=2) == [("outbox", "discarded", 2)]
    assert left(db) == set(made[2:])


def test_who_may_and_how(db, operator, cell, database):
    for keep in (0, None):
        with pytest.raises(psycopg2.errors.InvalidParameterValue,
                           match="1 at least"):
            prune(operator, keep)
    with pytest.raises(psycopg2.errors.InvalidParameterValue):
        run(operator, "SELECT ch.prune_letters(30, 'ann', '')")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        run(operator, "DELETE FROM ch.dead_letters")
    relay = cell.connect("relay", database)
    try:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            prune(relay)
    finally:
        relay.close()
