"""A dead letter's whole life, with the real ledger-writer: refused by the
database, seen, its cause repaired, replayed, applied under its own id."""

import json
import pathlib
import sys

import pytest

from harness.kafka import header
from harness.wait import until

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "ledger"))

from ledger_kit import Ledger, command, transfer  # noqa: E402


@pytest.fixture
def ledger(cell, kafka, db, database, daemons):
    made = Ledger(cell, kafka, db, database, daemons)
    kafka.create(f"{made.topic}.dlq")
    return made


def results_of(cell, cmd):
    found = [json.loads(r["payload"]) for r in cell.records(cell.results)]
    return [r for r in found if r["id"] == cmd["id"]]


def state(cell):
    """All that a dry run could have changed."""
    return [cell.sql(f"SELECT * FROM {table} ORDER BY 1") for table in (
        "letter_states", "letter_replays", "audit_events")]


def of_value(letters, cmd):
    return next(x["letter_id"] for x in letters
                if json.loads(x["value"])["id"] == cmd["id"])


def test_poison_is_parked_then_repaired_replayed_and_applied(
        relay_cell, relay, ledger):
    cell = relay_cell
    ledger.writer()
    relay()
    ledger.open_books()
    cell.sql("ALTER TABLE postings ADD CONSTRAINT surprise "
             "CHECK (amount NOT IN (1313, -1313))")
    bad, given_up = (transfer("house", "a", "13.13") for _ in range(2))
    good = [transfer("house", "a", "1.00") for _ in range(20)]
    ledger.send(*good[:10], bad, given_up, *good[10:])
    for cmd in good:
        assert ledger.answer(cmd, 60)["status"] == "applied"
    assert ledger.answer(bad)["status"] == "invalid"
    until(lambda: results_of(cell, given_up), 60, "the answer")

    # both stand in the dead letter topic, as they were sent
    dead = until(lambda: (r := cell.records(f"{ledger.topic}.dlq"))
                 and len(r) == 2 and r, 60, "two records in the dlq")
    assert {json.loads(r["payload"])["id"] for r in dead} == {
        bad["id"], given_up["id"]}
    assert {header(r, "ch_error_class") for r in dead} == {"poison"}
    assert {header(r, "__connect.errors.topic") for r in dead} == {
        ledger.topic}
    letters = cell.letters("--topic", ledger.topic)
    assert len(letters) == 2
    assert {(x["kind"], x["state"], x["error_class"]) for x in letters} == {
        ("rejected", "pending", "poison")}
    assert {x["letter_id"] for x in letters} == {
        header(r, "ch_letter_id") for r in dead}
    shown = [json.loads(x) for x in cell.dlq(
        "show", *[x["letter_id"] for x in letters], "--json").splitlines()]
    letter, other = of_value(shown, bad), of_value(shown, given_up)
    assert "surprise" in next(x["reason"] for x in shown
                              if x["letter_id"] == letter)

    # neither a dry run nor a slip changes anything
    before, sent = state(cell), len(cell.records(ledger.topic))
    assert "would replay" in cell.dlq("replay", letter, "--dry-run")
    assert "would discard" in cell.dlq("discard", letter, "--dry-run")
    cell.dlq("replay", letter, status=64)
    cell.dlq("discard", letter, status=64)
    assert state(cell) == before
    assert len(cell.records(ledger.topic)) == sent

    # while the cause stands, a replay ends refused again, in a new letter
    cell.dlq("replay", other, "--reason", "try", "--actor", "ann")
    again = until(lambda: [
        x for x in cell.letters("--topic", ledger.topic)
        if x["letter_id"] not in (letter, other)], 60, "refused again")
    assert len(again) == 1

    cell.sql("ALTER TABLE postings DROP CONSTRAINT surprise")
    cell.dlq("replay", letter, "--reason", "constraint dropped", "--actor",
             "ann")
    until(lambda: len(ledger.answers_of(bad["id"])) == 2, 60, "decided anew")
    assert ledger.answers_of(bad["id"])[-1]["status"] == "applied"
    until(lambda: [r["status"] for r in results_of(cell, bad)] == [
        "invalid", "applied"], 60, "both results")
    assert ledger.value("SELECT count(*) FROM command_log WHERE id::text = %s",
                        bad["id"]) == 1
    ledger.check_books()

    # it is taken, and so resolved; the other one was refused again
    assert [x["letter_id"] for x in cell.letters("--state", "resolved")] == [
        letter]
    assert [x["letter_id"] for x in cell.letters("--state", "replayed")] == [
        other]
    # nothing is left to do with it, and nothing is sent
    sent = len(cell.records(ledger.topic))
    cell.dlq("replay", letter, "--reason", "again", status=2)
    cell.dlq("discard", letter, "--reason", "again", status=2)
    assert len(cell.records(ledger.topic)) == sent
    cell.dlq("discard", again[0]["letter_id"], "--reason", "given up",
             "--actor", "bob")
    cell.dlq("replay", again[0]["letter_id"], "--reason", "r", status=2)
    assert cell.letters("--topic", ledger.topic) == []
    assert cell.sql(
        "SELECT actor, action, subject, reason, before->>'state', "
        "after->>'state' FROM audit_events WHERE action IN ('dlq.replay', "
        "'dlq.discard') ORDER BY event_id") == [
            ("ann", "dlq.replay", other, "try", "pending", "replayed"),
            ("ann", "dlq.replay", letter, "constraint dropped", "pending",
             "replayed"),
            ("bob", "dlq.discard", again[0]["letter_id"], "given up",
             "pending", "discarded")]
    assert ledger.answers_of(given_up["id"])[-1]["status"] == "invalid"


def test_a_fill_that_outran_its_order_is_replayed_and_applied_once(
        relay_cell, relay, ledger, kafka):
    cell = relay_cell
    kafka.create(f"{ledger.fills}.dlq")
    ledger.writer()
    relay()
    early = {"fill_id": "t1", "org": "acme", "order": "o", "qty": "4",
             "price": "0.5", "traded_at": "2026-01-01T00:00:00Z"}
    kafka.produce(ledger.fills, [("0x1", json.dumps(early))])
    dead = until(lambda: cell.records(f"{ledger.fills}.dlq"), 60, "its letter")
    assert header(dead[0], "ch_error_class") == "order_not_found"
    (letter,) = cell.letters("--topic", ledger.fills)
    assert (letter["kind"], letter["state"]) == ("rejected", "pending")

    place = command("order.place", order="o", market="m", side="BUY", qty="10")
    assert ledger.do(place)["status"] == "applied"
    cell.dlq("replay", letter["letter_id"], "--reason", "the order is there",
             "--actor", "ann")
    filled = ("SELECT filled FROM orders WHERE name = 'o'",)
    until(lambda: ledger.value(*filled) == 4 * 10**8, 60, "it is applied")
    # sent once more it confirms what is known
    cell.dlq("replay", letter["letter_id"], "--again", "--reason", "a slip",
             "--actor", "ann")
    ledger.wait_consumed(3, topic=ledger.fills)
    assert ledger.value(*filled) == 4 * 10**8
    assert len(cell.letters("--topic", ledger.fills, "--state", "pending")
               ) == 0
    ledger.check_books()
