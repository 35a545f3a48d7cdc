"""A leader that is stopped (a frozen machine) does not hold its standby up, and
when it wakes it can only repeat."""

import os
import signal

from harness.relay_rows import noise
from harness.wait import until

# its walsender would keep the slot for ever, not for a minute as by default
PATIENT = {"PGOPTIONS": "-c wal_sender_timeout=0"}


def test_a_standby_takes_over_from_a_stopped_leader(relay_cell, relay,
                                                    tmp_path):
    (tmp_path / "hooks").write_text(  # nobody listens there
        "[a]\nurl = http://127.0.0.1:1/\nallow_http = true\n"
        "allow_private = true\nsign = false\n")
    flags = {"webhooks": str(tmp_path / "hooks")}
    leader = relay(env=PATIENT, **flags)
    relay_cell.load(100)
    relay_cell.arrived(60)
    gauges = [f"relay_webhook_{name}" for name in (
        "pending", "oldest_seconds", "breaker")]
    for name in gauges:
        until(lambda: leader.metric(name) > 0, 60, name)
    standby = relay(env=PATIENT, **flags)
    assert standby.metric("relay_leader") == 0
    os.kill(leader.pid, signal.SIGSTOP)
    try:
        relay_cell.load(100)
        # more than the way to the stopped one takes up: its walsender waits
        # in the middle of a write
        for n in range(20):
            relay_cell.event(f"k{n}", payload=noise(500000))
        until(lambda: standby.metric("relay_leader") == 1, 90,
              "the standby leads")
        relay_cell.arrived(90)
        assert "event=relay.reader_ended" in standby.logged()
    finally:
        os.kill(leader.pid, signal.SIGCONT)
    until(lambda: leader.metric("relay_leader") == 0, 60,
          "the woken one stands by")
    for name in gauges:
        until(lambda: leader.metric(name) == 0, 60, f"{name} of the woken")
    relay_cell.load(50)
    relay_cell.arrived(60)
