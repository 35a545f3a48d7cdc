"""A link that fails without a word: both ends go on believing in it."""

import os
import signal

import pytest

from harness.tcp_proxy import before_postgres
from harness.wait import until


@pytest.fixture
def behind(relay_cell, relay, tmp_path):
    """(a relay behind a proxy to PostgreSQL, the proxy)."""
    link, url = before_postgres(
        relay_cell.cell.url("relay", relay_cell.database), tmp_path / "pass")
    yield relay(database_url=url), link
    link.close()


def stream(relay_cell, link):
    """The proxy's link that carries the WAL, once there is one."""
    def streams():
        rows = relay_cell.sql(
            "SELECT client_port FROM pg_replication_slots JOIN "
            "pg_stat_get_activity(active_pid) ON true WHERE slot_name = %s",
            (relay_cell.slot,))
        return rows and link.link_to(rows[0][0])
    return until(streams, 60, "the WAL is read")


def test_a_stream_that_begins_is_not_silent(relay_cell, relay):
    """Before its server has said a word, however long this machine runs."""
    for _ in range(5):
        daemon = relay()
        until(lambda: daemon.metric("relay_streams_total"), 60, "it tails")
        relay_cell.load(1)
        relay_cell.arrived()
        assert daemon.stop() == 0
        assert "event=relay.stream_lost" not in daemon.logged()


def test_a_stream_that_fell_silent_is_left_for_another(
        relay_cell, relay, behind, cell):
    """What the server sends is lost on the way, what the relay says comes
    through: neither side has a reason to end it. Beside it a relay that does
    not read, because Kafka is away: that is no silence."""
    daemon, link = behind
    blocked = relay(slot=f"{relay_cell.slot}b", inflight="64KiB")
    relay_cell.load(50)
    relay_cell.arrived()
    silent = stream(relay_cell, link)
    broker = int((cell.state / "run" / "kafka.pid").read_text())
    os.kill(broker, signal.SIGSTOP)
    try:
        relay_cell.load(600)
        until(lambda: blocked.metric("relay_in_flight_bytes") >= 65536, 60,
              "it reads no more")
        silent.half_open = {"down"}
        until(lambda: stream(relay_cell, link) is not silent, 240,
              "the relay finds out")
    finally:
        os.kill(broker, signal.SIGCONT)
    relay_cell.load(50)
    relay_cell.arrived(60)
    assert "heard nothing from the walsender" in daemon.logged()
    assert "heard nothing" not in blocked.logged()
    assert daemon.stop() == blocked.stop() == 0
