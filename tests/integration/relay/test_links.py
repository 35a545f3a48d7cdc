"""A link that fails without a word: both ends go on believing in it."""

import os
import signal

import pytest

from harness.tcp_proxy import before_postgres
from harness.wait import until


@pytest.fixture
def behind(relay_cell, relay, tmp_path):
    """(start(**flags): a relay behind a proxy to PostgreSQL, the proxy)."""
    link, url = before_postgres(
        relay_cell.cell.url("relay", relay_cell.database), tmp_path / "pass")
    yield lambda **more: relay(database_url=url, **more), link
    link.close()


def stream(relay_cell, link):
    """The proxy's link that carries the WAL; None: there is none now."""
    rows = relay_cell.sql(
        "SELECT client_port FROM pg_replication_slots JOIN "
        "pg_stat_get_activity(active_pid) ON true WHERE slot_name = %s",
        (relay_cell.slot,))
    return link.link_to(rows[0][0]) if rows else None


def test_a_new_stream_is_not_silent(relay_cell, behind):
    """Whatever was read of it before its first status: often nothing, since
    its first bytes are on their way."""
    start, _ = behind
    for n in range(10):
        daemon = start(slot=f"{relay_cell.slot}n{n}")
        assert daemon.stop() == 0
        assert "heard nothing" not in daemon.logged()


def test_a_stream_that_fell_silent_is_left_for_another(
        relay_cell, relay, behind, cell):
    """What the server sends is lost on the way, what the relay says comes
    through: neither side has a reason to end it. Beside it a relay that does
    not read, because Kafka is away: that is no silence."""
    start, link = behind
    daemon = start()
    blocked = relay(slot=f"{relay_cell.slot}b", inflight="64KiB")
    relay_cell.load(50)
    relay_cell.arrived()
    silent = until(lambda: stream(relay_cell, link), 60, "the WAL is read")
    broker = int((cell.state / "run" / "kafka.pid").read_text())
    os.kill(broker, signal.SIGSTOP)
    try:
        relay_cell.load(600)
        until(lambda: blocked.metric("relay_in_flight_bytes") >= 65536, 60,
              "it reads no more")
        silent.half_open = {"down"}
        until(lambda: stream(relay_cell, link) not in (None, silent), 240,
              "the relay finds out")
    finally:
        os.kill(broker, signal.SIGCONT)
    relay_cell.load(50)
    relay_cell.arrived(120)
    assert "heard nothing from the walsender" in daemon.logged()
    assert "heard nothing" not in blocked.logged()
    assert daemon.stop() == blocked.stop() == 0
