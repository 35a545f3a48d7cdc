"""What a plan's run owes to the ones before it: its rate; and a canary whose
letters are refused where they go."""

import os
import random
import signal
import subprocess

import pytest

from harness.wait import until
from integration.relay.test_replay_plans import (
    approved, ended, shown, start, states)


def waits_for_its_rate(cell):
    """The run has asked several times whether it may go on."""
    asked = set()

    def look():
        asked.update(cell.sql(
            "SELECT query_start FROM pg_stat_activity WHERE datname = "
            "current_database() AND application_name = 'outbox-relay dlq' "
            "AND query LIKE 'SELECT p.state, p.next_place%%' "
            "AND state = 'idle'"))
        return len(asked) > 3
    until(look, 60, "it waits", every=0.02)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_rate_holds_over_runs(how, relay_cell):
    """At ten bytes a second five minutes are owed for a letter of 3,000."""
    cell = relay_cell
    for n in range(3):
        cell.rejected(key=b"k%d" % n, value=b"x" * 3000)
    number = approved(cell, "--topic", cell.commands, "--bytes-rate", "10")
    for _ in range(2):
        run = start(cell, "run", number)
        until(lambda: shown(cell, number)["next_place"] >= 2, 60, "one is sent")
        waits_for_its_rate(cell)
        if how == "stop":
            cell.dlq("stop", number, "--reason", "lunch")
            assert ended(run)[0] == 2
        else:
            run.kill()
            run.communicate()
            until(lambda: shown(cell, number)["state"] == "interrupted", 60,
                  "its session has ended")
    assert len(cell.records(cell.commands)) == 1
    assert shown(cell, number)["sent"] == 1
    cell.dlq("cancel", number, "--reason", "r")


def test_a_letter_that_was_sent_long_ago_is_paid(relay_cell):
    cell = relay_cell
    for n in range(2):
        cell.rejected(key=b"k%d" % n, value=b"x" * 3000)
    number = approved(cell, "--topic", cell.commands, "--bytes-rate", "10")
    run = start(cell, "run", number)
    until(lambda: shown(cell, number)["next_place"] == 2, 60, "one is sent")
    cell.dlq("stop", number, "--reason", "lunch")
    ended(run)
    cell.sql("UPDATE replay_plans SET changed_at = now() - interval '1 hour'")
    cell.sql("UPDATE letter_states SET changed_at = now() - interval '1 hour'")
    assert cell.run_dlq("run", number).returncode == 0
    assert len(cell.records(cell.commands)) == 2


def test_a_canary_whose_letters_are_refused_stops(relay_cell, kafka):
    cell = relay_cell
    small = cell.prefix + "small"
    kafka.create(small, config=["max.message.bytes=20000"])
    rng = random.Random(1)
    letters = [cell.rejected(part=0, key=b"k%d" % n,
                             value=rng.randbytes(60000)) for n in range(6)]
    cell.sql("UPDATE rejected SET topic = %s", (small,))
    number = approved(cell, "--topic", small, "--canary", "2")
    ran = cell.run_dlq("run", number)
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert "canary: 2 letters cannot be sent, at most 0 may" in ran.stderr
    stopped = shown(cell, number)
    assert [stopped[k] for k in ("state", "held", "sent", "next_place")] == [
        "stopped", 2, 0, 3]
    assert "cannot be sent" in stopped["state_reason"]
    # on purpose, behind them
    assert cell.run_dlq("run", number).returncode == 2
    assert shown(cell, number)["held"] == 4
    cell.dlq("cancel", number, "--reason", "r")
    assert set(states(cell).values()) == {"pending"} and len(letters) == 6

    number = approved(cell, "--topic", small, "--canary", "2",
                      "--canary-returns", "6")
    ran = cell.run_dlq("run", number)
    assert ran.returncode == 0, ran.stderr
    assert shown(cell, number)["held"] == 6


def test_a_relay_that_ends_leaves_a_page_that_nobody_acknowledges(
        relay_cell, api):
    """It does not wait for a broker that stands still until that would be a
    failure of its own."""
    cell = relay_cell
    for n in range(30):
        cell.rejected(key=b"k%d" % n)
    asked = api()
    plan = asked.post("plans", {"where": "attempts >= 0", "reason": "r",
                                "per_second": 2}, status=201)["plan"]
    plan = str(plan)
    asked.post(f"plans/{plan}/approve", {"reason": "ok"}, who="bob")
    asked.post(f"plans/{plan}/run", {}, status=202)
    until(lambda: shown(cell, plan)["next_place"] > 1, 60, "one is sent")
    broker = int((cell.cell.state / "run" / "kafka.pid").read_text())
    os.kill(broker, signal.SIGSTOP)
    try:
        until(lambda: cell.sql(
            "SELECT 1 FROM pg_stat_activity WHERE state = "
            "'idle in transaction' AND datname = current_database() "
            "AND application_name = 'outbox-relay api run' "
            "AND now() - state_change > interval '1 second'"), 60, "it waits")
        asked.daemon.signal(signal.SIGTERM)
        stopped = until(lambda: (p := shown(cell, plan))["state"] == "stopped"
                        and p, 60, "the run has ended")
    finally:
        os.kill(broker, signal.SIGCONT)
    assert "the process that ran it was stopped" in stopped["state_reason"]
    assert asked.daemon.stop() == 0


def test_a_replay_by_hand_that_stands_still_lets_its_letter_go(relay_cell):
    """And does not send it when it wakes: somebody else has decided it."""
    cell = relay_cell
    letter = cell.rejected()
    broker = int((cell.cell.state / "run" / "kafka.pid").read_text())
    os.kill(broker, signal.SIGSTOP)
    try:
        replay = subprocess.Popen(
            cell.dlq_command("replay", letter, "--reason", "r"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until(lambda: cell.sql(
            "SELECT 1 FROM pg_stat_activity WHERE state = "
            "'idle in transaction' AND datname = current_database() "
            "AND application_name = 'outbox-relay dlq' "
            "AND now() - state_change > interval '0.2 second'"), 60, "it asks")
        replay.send_signal(signal.SIGSTOP)
    finally:
        os.kill(broker, signal.SIGCONT)
    cell.dlq("discard", letter, "--reason", "not needed any more")
    replay.send_signal(signal.SIGCONT)
    out, err = replay.communicate(timeout=60)
    assert replay.returncode == 1, out + err
    assert cell.records(cell.commands) == []
    assert states(cell) == {letter: "discarded"}
