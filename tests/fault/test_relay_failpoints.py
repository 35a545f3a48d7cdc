"""The relay killed at each of its named places: nothing is lost, the order
per key holds. Needs the failpoints build (make fault)."""

import random

import pytest

from harness.wait import until
from integration.relay.conftest import relay, relay_cell  # noqa: F401

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
        until(lambda: len(cell.letters()) == 3, 20, "each parked once")
