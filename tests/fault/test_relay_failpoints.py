"""The relay killed at each of its named places: nothing is lost, the order
per key holds. Needs the failpoints build (make fault)."""

import random
import signal

import pytest

from harness.hook_server import HookServer
from harness.kafka import header
from harness.relay_rows import noise
from harness.tcp_proxy import before_postgres
from harness.wait import until
from integration.relay.conftest import relay, relay_cell  # noqa: F401
from integration.relay.test_releases import block, decide, one_partition

POINTS = ["relay.after_read", "relay.after_produce", "relay.before_progress",
          "relay.after_park"]


def dies_of_work(daemon, cell, rng):
    """What was there when the relay started comes by the scan, a few rows at a
    read: only later transactions are sure to pass each place one by one."""
    if not daemon.running():
        return True
    cell.load(50, rng)
    return not daemon.running()


@pytest.mark.parametrize("point", POINTS)
def test_killed_at(point, relay_cell, relay, tmp_path):  # noqa: F811
    cell = relay_cell
    rules, log = tmp_path / "rules", tmp_path / "log"
    rng = random.Random(point)
    env = {"CH_FAILPOINTS_FILE": str(rules), "CH_FAILPOINTS_LOG": str(log)}
    kills = 0
    for _ in range(3):
        nth = {POINTS[0]: rng.randrange(1, 60),
               POINTS[1]: rng.randrange(1, 8)}.get(point, 1)
        rules.write_text(f"{point}=kill@{nth}\n")
        daemon = relay(env=env, wait_ready=False)
        cell.load(600, rng)
        if point == "relay.after_park":
            cell.event(f"big{kills}", payload='"' + "x" * 1100000 + '"')
            cell.sent.pop()
        until(lambda: dies_of_work(daemon, cell, rng), 60,
              f"killed at {point}")
        kills += 1
    assert log.read_text().count(point) == kills
    rules.write_text("")
    relay(env=env)
    cell.load(100, rng)
    cell.arrived(60)
    if point == "relay.after_park":
        until(lambda: len(cell.letters()) == 3, 60, "each parked once")


def test_a_leader_that_stops_in_a_transaction(relay_cell, relay,  # noqa: F811
                                              tmp_path):
    """Half of what it parks is at the server, which waits for the rest without
    a timeout: the standby ends that session."""
    cell = relay_cell
    rules, log = tmp_path / "rules", tmp_path / "log"
    rules.write_text("relay.in_park=stop@1\n")
    leader = relay(env={"CH_FAILPOINTS_FILE": str(rules),
                        "CH_FAILPOINTS_LOG": str(log)})
    cell.load(50)
    cell.arrived()
    standby = relay()
    large = [cell.event("big", payload=noise(1100000)) for _ in range(3)]
    del cell.sent[-3:]
    until(lambda: log.exists() and "relay.in_park" in log.read_text(), 60,
          "it stops")
    try:
        until(lambda: standby.metric("relay_leader") == 1, 90, "another leads")
        assert "event=relay.leader_ended" in standby.logged()
        cell.load(50)
        cell.arrived()
    finally:
        leader.signal(signal.SIGCONT)
    until(lambda: leader.metric("relay_leader") == 0, 60, "it stands by")
    assert cell.sql("SELECT row_id FROM dead_letters") == [(large[0],)]
    assert cell.sql("SELECT row_id FROM outbox_retry ORDER BY retry_id") == [
        (row,) for row in large[1:]]


def test_a_commit_whose_answer_is_lost(relay_cell, relay,  # noqa: F811
                                       tmp_path):
    """What was to be put aside is, and the relay does not hear of it: it is
    not put aside once more."""
    cell = relay_cell
    rules, log = tmp_path / "rules", tmp_path / "log"
    rules.write_text("")
    link, url = before_postgres(
        cell.cell.url("relay", cell.database), tmp_path / "pass")
    daemon = relay(database_url=url, env={"CH_FAILPOINTS_FILE": str(rules),
                                          "CH_FAILPOINTS_LOG": str(log)})
    cell.event("big", payload=noise(1100000))
    del cell.sent[-1:]
    until(cell.letters, 60, "its key is blocked")
    rules.write_text("relay.in_park=stop\n")
    waits = cell.event("big")
    del cell.sent[-1:]
    until(lambda: log.exists() and "relay.in_park" in log.read_text(), 60,
          "it stops before the end of a transaction")
    link.swallow("down")
    rules.write_text("")
    daemon.signal(signal.SIGCONT)
    until(lambda: cell.sql("SELECT row_id FROM outbox_retry"), 10, "committed")
    link.flow()
    cell.load(50)
    cell.arrived()
    assert "event=relay.session_lost" in daemon.logged()
    assert cell.sql("SELECT row_id FROM outbox_retry") == [(waits,)]
    link.close()


@pytest.mark.parametrize("point", ["relay.after_webhook_put",
                                   "relay.after_webhook"])
def test_webhooks_killed_at(point, relay_cell, relay, tmp_path):  # noqa: F811
    """Durable and not let go; answered and not written down. Repeated
    deliveries have the same id, and come before anything else of the key."""
    cell, server = relay_cell, HookServer()
    rules, log = tmp_path / "rules", tmp_path / "log"
    conf = tmp_path / "endpoints.conf"
    conf.write_text(f"[a]\nurl = {server.url()}\nallow_http = true\n"
                    "allow_private = true\nsign = false\n")
    rng = random.Random(point)
    env = {"CH_FAILPOINTS_FILE": str(rules), "CH_FAILPOINTS_LOG": str(log)}
    for kill in range(3):
        rules.write_text(f"{point}=kill@{rng.randrange(1, 4)}\n")
        daemon = relay(env=env, wait_ready=False, webhooks=str(conf))
        until(lambda: dies_of_work(daemon, cell, rng), 60,
              f"killed at {point}")
        assert log.read_text().count(point) == kill + 1
    rules.write_text("")
    relay(env=env, webhooks=str(conf))
    cell.load(50, rng)
    cell.arrived(60)
    events = [i for topic, _, i in cell.sent if topic == cell.stock]
    until(lambda: cell.sql(
        "SELECT count(*), count(*) FILTER (WHERE done_at IS NULL) "
        "FROM webhook_deliveries") == [(len(events), 0)], 60, "all are done")
    keys = {i: key for _, key, i in cell.sent}
    for key in set(keys.values()):
        first = [i for i in server.first_ids() if keys[i] == key]
        assert first == [i for i in events if keys[i] == key]
    again = len(server.ids()) - len(events)
    assert again >= (3 if point == "relay.after_webhook" else 0)
    server.stop()


def test_a_key_blocked_again_while_it_is_released(
        relay_cell, relay, tmp_path):  # noqa: F811
    """A waiting row is refused, and the relay dies before it has read the
    rest: all of it waits behind the new letter, and nothing is left behind."""
    cell, keys, rows = relay_cell, 600, 12
    topic = one_partition(cell)
    block(cell, topic, keys, rows)
    cell.sql("UPDATE outbox_retry SET value = convert_to(repeat('x', 3000), "
             "'UTF8') WHERE convert_from(value, 'UTF8') = '2' AND "
             "convert_from(record_key, 'UTF8') IN ('b1', 'b2', 'b3')")
    decide(cell)
    rules = tmp_path / "rules"
    rules.write_text("relay.after_park=kill\n")
    daemon = relay(wait_ready=False, message_max="2000",
                   env={"CH_FAILPOINTS_FILE": str(rules)})
    until(lambda: not daemon.running(), 120, "killed")
    # what it had not read waits behind the new letter too
    assert cell.sql("SELECT count(*) > 0 FROM dead_letters WHERE "
                    "error_class = 'too_large'") == [(True,)]
    daemon = relay(message_max="2000")
    until(lambda: cell.sql("SELECT count(*) FROM dead_letters WHERE "
                           "error_class = 'too_large'") == [(3,)], 60,
          "all three")
    daemon.wait_metric(3, "relay_blocked_keys")
    last = [cell.event(f"b{n}", "many") for n in range(1, keys + 1)]
    until(lambda: set(last[3:]) <= set(cell.ids(topic)), 120, "the others")
    cell.sql("INSERT INTO letter_states (letter_id, state, actor, reason) "
             "SELECT letter_id, 'discarded', 'ann', 'r' FROM dead_letters "
             "WHERE error_class = 'too_large'")
    until(lambda: set(last) <= set(cell.ids(topic)), 120, "all came")
    seen = {}
    for r in cell.records(topic):
        seen.setdefault(r["key"], []).append((header(r, "id"), r["payload"]))
    for n in range(1, keys + 1):
        got = list(dict.fromkeys(seen[f"b{n}"]))
        assert [p for _, p in got[:-1]] == [
            str(i) for i in range(1, rows + 1) if n > 3 or i != 2]
        assert got[-1][0] == last[n - 1]
    until(lambda: cell.sql("SELECT count(*) FROM outbox_retry") == [(0,)],
          60, "and swept")
