"""A leader that is stopped (a frozen machine) does not hold its standby up, and
when it wakes it can only repeat."""

import os
import signal

from harness.wait import until


def test_a_standby_takes_over_from_a_stopped_leader(relay_cell, relay):
    leader = relay()
    relay_cell.load(100)
    relay_cell.arrived()
    standby = relay()
    assert standby.metric("relay_leader") == 0
    os.kill(leader.pid, signal.SIGSTOP)
    try:
        relay_cell.load(100)
        until(lambda: standby.metric("relay_leader") == 1, 90,
              "the standby leads")
        relay_cell.arrived(60)
    finally:
        os.kill(leader.pid, signal.SIGCONT)
    until(lambda: leader.metric("relay_leader") == 0, 60,
          "the woken one stands by")
    relay_cell.load(50)
    relay_cell.arrived(60)
