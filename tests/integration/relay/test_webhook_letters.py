"""Webhooks' dead letters: what came back, what nobody has an endpoint for, what
an answer that comes late must not touch."""

import json
import threading

import pytest

from harness.hook_server import all_done
from harness.wait import until


def letters_of(cell, count):
    return until(lambda: (x := cell.letters()) and len(x) == count and x, 60,
                 f"{count} letters")


def states(cell):
    return dict(cell.sql("SELECT letter_id::text, state FROM letters"))


def planned(cell, *args):
    out = cell.dlq("plan", "--topic", "webhook:a", "--reason", "mended",
                   "--actor", "ann", *args)
    number = out.rsplit("\nplan ", 1)[1].split()[0]
    cell.dlq("approve", number, "--reason", "yes", "--actor", "bob")
    return number


def shown(cell, number):
    return json.loads(cell.dlq("plans", number, "--json"))


def judged(cell, number):
    return cell.sql("SELECT judged FROM replay_plan_returns(%s)",
                    (number,))[0][0]


def test_a_canary_waits_for_the_endpoints_word(relay_cell, relay, hooks,
                                               server):
    cell = relay_cell
    server.answer = lambda r: 410
    relay(webhooks=hooks())
    for n in range(6):
        cell.event(f"k{n}")
    old = [x["letter_id"] for x in letters_of(cell, 6)]
    number = planned(cell, "--canary", "2")
    ran = cell.run_dlq("run", number, "--actor", "cyd")
    assert ran.returncode == 2
    assert "of 2 letters came back, at most 0 may" in ran.stderr
    until(lambda: shown(cell, number)["returned"] == 2, 60, "both came back")
    plan = shown(cell, number)
    assert (plan["state"], plan["sent"],
            plan["canary_passed"]) == ("stopped", 2, False)
    assert judged(cell, number) == 2
    # what came back is decided: another letter stands for it
    letters = letters_of(cell, 6)
    fresh = [x["letter_id"] for x in letters if x["letter_id"] not in old]
    assert len(fresh) == 2
    found = states(cell)
    gone = [i for i in old if found[i] == "resolved"]
    assert len(gone) == 2
    assert {r for r, in cell.sql(
        "SELECT reason FROM letter_states WHERE letter_id::text = ANY (%s)",
        (gone,))} == {f"came back as letter {i}" for i in fresh}
    assert set(cell.sql("SELECT came_back::text, letter_id::text FROM "
                        "dead_letters WHERE came_back IS NOT NULL")) == {
        (g, r.rsplit(" ", 1)[1]) for g, r in cell.sql(
            "SELECT letter_id::text, reason FROM letter_states "
            "WHERE letter_id::text = ANY (%s)", (gone,))}
    assert cell.run_dlq("discard", gone[0], "--reason", "r").returncode == 2

    server.answer = lambda r: 204
    cell.dlq("cancel", number, "--reason", "mended")
    number = planned(cell, "--canary", "2")
    cell.dlq("run", number)
    all_done(cell, 6)
    assert judged(cell, number) == 6
    plan = shown(cell, number)
    assert (plan["state"], plan["sent"], plan["returned"],
            plan["canary_passed"]) == ("done", 6, 0, True)
    assert cell.letters() == []
    assert set(states(cell).values()) == {"resolved"}


def test_what_an_endpoint_that_is_gone_has_is_told(relay_cell, relay, hooks,
                                                   server):
    """Its letters stay where they are seen, and may be discarded when they are
    on their way; it goes on when the endpoint is back."""
    cell = relay_cell
    server.answer = lambda r: 410
    daemon = relay(webhooks=hooks())
    bad = [cell.event("k1"), cell.event("k2")]
    of = {x["row_id"]: x["letter_id"] for x in letters_of(cell, 2)}
    behind = cell.event("k1")
    daemon.wait_metric(1, "relay_webhook_pending", endpoint="a")
    assert daemon.stop() == 0
    # nobody knows which endpoints the next relay has
    cell.dlq("replay", of[bad[0]], "--reason", "try")
    sent = len(server.ids())

    daemon = relay(webhooks=hooks(b={"aggregatetype": "none"}))
    daemon.wait_metric(2, "relay_webhook_orphaned", endpoint="a")
    assert "event=webhook.orphaned endpoint=a" in daemon.logged()
    status, text = daemon.get("/readyz?verbose")
    assert status == 200 and "[+]webhooks" in text and " a " in text
    for more in (["--dry-run"], []):
        ran = cell.run_dlq("replay", of[bad[1]], "--reason", "r", *more)
        assert ran.returncode == 2
        assert "no running relay has the endpoint" in ran.stderr + ran.stdout
    assert states(cell)[of[bad[1]]] == "pending"
    dry = cell.dlq("discard", of[bad[0]], "--dry-run")
    assert "would discard" in dry
    cell.dlq("discard", of[bad[0]], "--reason", "nobody wants it")
    assert states(cell)[of[bad[0]]] == "discarded"
    assert cell.sql("SELECT body IS NULL, done_at IS NOT NULL FROM "
                    "webhook_deliveries WHERE event_id = %s", (bad[0],)) == [
        (True, True)]
    assert daemon.stop() == 0

    # without any endpoint it is told as well
    daemon = relay()
    daemon.wait_metric(1, "relay_webhook_orphaned", endpoint="a")
    assert len(server.ids()) == sent
    assert daemon.stop() == 0
    server.answer = lambda r: 204
    daemon = relay(webhooks=hooks())
    until(lambda: server.ids()[sent:] == [behind], 60, "its key goes on")
    cell.dlq("replay", of[bad[1]], "--reason", "it is back")
    all_done(cell, 3)
    assert server.ids()[sent:] == [behind, bad[1]]
    assert "[+]webhooks" not in daemon.get("/readyz?verbose")[1]


@pytest.mark.parametrize("status,attempts", [(204, 2), (500, 2), (429, 2),
                                             (422, 1)],
                         ids=["done", "again", "later", "bury"])
def test_a_late_answer_is_not_written_to_what_was_put_back(
        relay_cell, relay, hooks, server, status, attempts):
    """A leader that was replaced may have the answer of before in hand: the
    new one has buried the delivery, and an operator has put it back."""
    cell, gate = relay_cell, threading.Event()

    def answer(request):
        if len(server.ids()) > 1:
            return 204
        gate.wait(60)
        return status
    server.answer = answer
    relay(webhooks=hooks(a={"attempts": attempts}))
    event = cell.event("k1")
    until(lambda: server.ids() == [event], 60, "it is in hand")
    letter = cell.sql(
        "INSERT INTO dead_letters (letter_id, source, row_id, topic, "
        "record_key, value, error_class, reason, attempts, blocks_key) "
        "SELECT gen_random_uuid(), 'webhook', event_id, 'webhook:a', "
        "record_key, body, 'http_422', 'r', 1, true FROM webhook_deliveries "
        "RETURNING letter_id::text")[0][0]
    cell.sql("UPDATE webhook_deliveries SET done_at = now(), body = NULL, "
             "letter_id = %s", (letter,))
    cell.dlq("replay", letter, "--reason", "mended")
    assert states(cell) == {letter: "replayed"}
    gate.set()
    until(lambda: server.ids() == [event] * 2, 60, "it is sent")
    all_done(cell, 1)
    assert states(cell) == {letter: "resolved"}
    assert cell.sql("SELECT attempts, last_status, letter_id, refused_at "
                    "FROM webhook_deliveries") == [(0, 204, None, None)]


def test_what_waits_for_nobody_becomes_letters(relay_cell, relay, hooks,
                                               server):
    cell = relay_cell
    server.answer = lambda r: 410
    daemon = relay(webhooks=hooks(a={"attempts": 100}))
    bad = cell.event("k0")
    letter = letters_of(cell, 1)[0]["letter_id"]
    server.answer = lambda r: 500
    waits = [cell.event("k1"), cell.event("k1"), cell.event("k2")]
    daemon.wait_metric(3, "relay_webhook_pending", endpoint="a")
    bury = ("bury", "a", "--reason", "the partner is gone", "--actor", "ann")
    ran = cell.run_dlq(*bury)
    assert ran.returncode == 2 and "a running relay has endpoint a" in ran.stderr
    assert daemon.stop() == 0
    ran = cell.run_dlq(*bury)
    assert ran.returncode == 2
    assert f"the relay of slot {cell.slot} does not run" in ran.stderr
    cell.dlq("replay", letter, "--reason", "on its way when it went")

    daemon = relay(webhooks=hooks(b={"aggregatetype": "none"}))
    daemon.wait_metric(4, "relay_webhook_orphaned", endpoint="a")
    assert "dlq bury a" in cell.dlq("endpoints")
    shown = json.loads(cell.dlq("endpoints", "--json"))
    assert (shown["endpoint"], shown["waiting"], shown["whose"]) == (
        "a", 4, "nobody")
    assert cell.run_dlq("bury", "c", "--reason", "r").returncode == 2
    assert cell.run_dlq("bury", "a", "--reason", "r", role="relay").returncode
    assert "4 deliveries would become letters of webhook:a" in cell.dlq(
        "bury", "webhook:a", "--dry-run")
    assert len(cell.letters("--state", "pending")) == 0
    assert "4 deliveries are letters of webhook:a" in cell.dlq(*bury)
    assert cell.dlq("endpoints") == ""
    # the one that was put back stands for its letter; who ended that is named
    assert states(cell)[letter] == "resolved"
    found = cell.letters("--topic", "webhook:a")
    assert cell.sql("SELECT actor, reason FROM letter_states WHERE letter_id "
                    "= %s", (letter,)) == [(
        "ann", f"came back as letter {found[0]['letter_id']}: "
        "the partner is gone")]
    assert [x["row_id"] for x in found] == [bad, *waits]
    assert {x["error_class"] for x in found} == {"no_endpoint"}
    assert cell.sql("SELECT actor, reason, after->'letters' FROM audit_events "
                    "WHERE action = 'dlq.bury' AND subject = 'endpoint a'") == [
        ("ann", "the partner is gone", 4)]
    cell.dlq("discard", "--key", "k2", "--reason", "nobody wants it")
    assert daemon.stop() == 0

    server.answer = lambda r: 204
    sent = len(server.ids())
    relay(webhooks=hooks())
    cell.dlq("replay", "--topic", "webhook:a", "--reason", "it is back")
    until(lambda: len(server.ids()) == sent + 3, 60, "the rest arrives")
    assert [x for x in server.ids()[sent:] if x != bad] == waits[:2]
