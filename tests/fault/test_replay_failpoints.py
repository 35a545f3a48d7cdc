"""A plan's run killed at each of its named places: every letter is decided
once, and what was acknowledged and not written down, a page at most, comes
again under its own id, before anything else of its key. Needs the failpoints
build (make fault)."""

import collections
import signal
import subprocess

import pytest

from harness.dead_letter_topics import put, streams
from harness.wait import until
from integration.relay.conftest import relay_cell  # noqa: F401

KEYS = 4  # of 16 letters: a page has no two of a key, so there are 4 pages of 4
# How many of a page will stand twice.
POINTS = {"relay.in_replay": range(KEYS + 1),            # some are on their way
          "relay.after_replay": range(KEYS, KEYS + 1),     # acknowledged
          "relay.before_decision": range(KEYS, KEYS + 1),  # not committed
          "relay.after_decision": range(1)}


@pytest.mark.parametrize("point", POINTS)
def test_killed_at(point, relay_cell, tmp_path, monkeypatch):  # noqa: F811
    cell = relay_cell
    letters = [cell.rejected(part=n % 2, key=b"k%d" % (n % KEYS),
                             value=b"%d" % n) for n in range(16)]
    out = cell.dlq("plan", "--topic", cell.commands, "--reason", "r",
                   "--actor", "ann")
    number = out.rsplit("\nplan ", 1)[1].split()[0]
    cell.dlq("approve", number, "--reason", "r", "--actor", "bob")

    rules, log = tmp_path / "rules", tmp_path / "log"
    monkeypatch.setenv("CH_FAILPOINTS_FILE", str(rules))
    monkeypatch.setenv("CH_FAILPOINTS_LOG", str(log))
    for nth in (1, 2, 1):
        rules.write_text(f"{point}=kill@{nth}\n")
        # until the session of the one before has ended: refused
        until(lambda: cell.run_dlq("run", number).returncode == -9, 60,
              f"killed at {point}")
    rules.write_text("")
    until(lambda: cell.run_dlq("run", number).returncode == 0, 60, "done")
    assert log.read_text().count(point) == 3

    assert [x for x, in cell.sql("SELECT letter_id::text FROM letter_replays "
                                 "ORDER BY replay_id")] == letters
    assert cell.sql("SELECT count(*) FROM audit_events "
                    "WHERE action = 'dlq.replay'") == [(16,)]
    assert cell.sql("SELECT state, next_place FROM replay_plans") == [
        ("done", 17)]
    assert cell.sql("SELECT outcome, count(*) FROM replay_plan_letters "
                    "GROUP BY 1") == [("sent", 16)]
    keys = collections.defaultdict(list)
    records = cell.records(cell.commands)
    for r in records:
        keys[r["key"]].append(int(r["payload"]))
        assert r["headers"][1] == "1"  # the same count each time
    again = POINTS[point]
    assert 3 * again[0] <= len(records) - 16 <= 3 * again[-1]
    assert all(numbers == sorted(numbers) for numbers in keys.values())
    assert sorted({n for ns in keys.values() for n in ns}) == list(range(16))


@pytest.mark.parametrize("point", ["relay.before_import",
                                   "relay.after_import"])
def test_an_import_killed_at(point, relay_cell, tmp_path,  # noqa: F811
                             monkeypatch):
    """Each record is one letter, and the cursor is behind the last."""
    cell = relay_cell
    dlt = cell.kafka.unique("dlt")
    cell.kafka.create(dlt, partitions=2)
    put(cell.kafka, dlt, [(n % 2, b"k", b"%d" % n, streams("t", 0, n))
                          for n in range(1200)])
    rules, log = tmp_path / "rules", tmp_path / "log"
    monkeypatch.setenv("CH_FAILPOINTS_FILE", str(rules))
    monkeypatch.setenv("CH_FAILPOINTS_LOG", str(log))
    for nth in (1, 2):
        rules.write_text(f"{point}=kill@{nth}\n")
        ran = cell.run_dlq("import", dlt, "--reason", "r")
        assert ran.returncode == -9, ran.stdout + ran.stderr
    rules.write_text("")
    cell.dlq("import", dlt, "--reason", "r")
    assert log.read_text().count(point) == 2
    values = cell.sql("SELECT convert_from(value, 'UTF8')::int "
                      "FROM foreign_letters")
    assert sorted(n for n, in values) == list(range(1200))
    assert cell.sql("SELECT next_offset FROM foreign_cursors") == [
        (600,), (600,)]


@pytest.mark.parametrize("point", ["relay.in_replay", "relay.after_replay"])
def test_a_run_that_stands_gives_its_letters_up(point, relay_cell,  # noqa: F811
                                                tmp_path, monkeypatch):
    """A frozen process in the middle of a page: PostgreSQL ends its session;
    what is decided meanwhile is not sent by it when it wakes."""
    cell = relay_cell
    letters = [cell.rejected(key=b"k%d" % n, value=b"%d" % n) for n in range(8)]
    out = cell.dlq("plan", "--topic", cell.commands, "--reason", "r",
                   "--actor", "ann")
    number = out.rsplit("\nplan ", 1)[1].split()[0]
    cell.dlq("approve", number, "--reason", "r", "--actor", "bob")
    rules, log = tmp_path / "rules", tmp_path / "log"
    rules.write_text(f"{point}=stop@1\n")
    monkeypatch.setenv("CH_FAILPOINTS_FILE", str(rules))
    monkeypatch.setenv("CH_FAILPOINTS_LOG", str(log))
    with open(tmp_path / "out", "wb") as told:
        run = subprocess.Popen(cell.dlq_command("run", number), stdout=told,
                               stderr=told)
    try:
        until(lambda: log.exists() and point in log.read_text(), 60,
              "it stands")
        monkeypatch.delenv("CH_FAILPOINTS_FILE")
        # both wait for the page's end
        cell.dlq("stop", number, "--reason", "it does not go on")
        cell.dlq("discard", letters[-1], "--reason", "no need")
        cell.dlq("run", number)
    finally:
        run.send_signal(signal.SIGCONT)
    assert run.wait(60) == 1, (tmp_path / "out").read_text()
    records = cell.records(cell.commands)
    seen = collections.Counter(int(r["payload"]) for r in records)
    sent_before = point == "relay.after_replay"
    assert seen.pop(7, 0) == sent_before
    assert set(seen) == set(range(7)) and set(seen.values()) <= {1, 2}
    assert cell.sql("SELECT state, next_place FROM replay_plans") == [
        ("done", 9)]
    assert cell.sql("SELECT count(*), count(DISTINCT letter_id) "
                    "FROM letter_replays") == [(7, 7)]
