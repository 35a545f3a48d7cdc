"""Who does not lead sends nothing: the leader may have parked what the other
had read, and an operator decided about it."""

import os
import signal

import pytest

from harness.wait import until
from integration.relay.test_releases import block


def end_sessions(cell, client_id):
    """Those of a relay that sleeps: as PostgreSQL ends them, or a network."""
    boss = cell.cell.connect("superuser", cell.database)
    try:
        with boss.cursor() as cur:
            cur.execute("SELECT pg_terminate_backend(pid) FROM "
                        "pg_stat_activity WHERE application_name = %s",
                        (client_id,))
    finally:
        boss.close()


@pytest.fixture
def two(relay_cell, relay):
    """The leader, which waits for its topics, and a standby, which does not;
    the leader has a row in flight whose topic is missing."""
    cell = relay_cell
    leader = relay(client_id="waits", topic_wait="1h")
    known = cell.event("k0")
    until(lambda: known in cell.ids(cell.stock), 60, "it delivers")
    standby = relay(client_id="parks", topic_wait="1ms")
    late = cell.event("k0", kind="late")
    cell.sent.pop()
    until(lambda: leader.metric("relay_in_flight_rows") == 1, 60, "in flight")
    return leader, standby, late


def test_what_was_in_flight_is_not_sent_after_another_parked_it(
        relay_cell, two):
    cell = relay_cell
    leader, standby, late = two
    os.kill(leader.pid, signal.SIGSTOP)
    try:
        end_sessions(cell, "waits")
        until(lambda: standby.metric("relay_leader") == 1, 60, "it leads")
        letter = until(lambda: cell.letters(), 60, "it is parked")[0]
        cell.dlq("discard", letter["letter_id"], "--reason=not wanted")
        cell.kafka.create(f"{cell.prefix}late")
    finally:
        os.kill(leader.pid, signal.SIGCONT)
    until(lambda: leader.metric("relay_leader") == 0, 60, "it stands by")
    until(lambda: leader.metric("relay_in_flight_rows") == 0, 60, "it let go")
    assert cell.ids(f"{cell.prefix}late") == []
    # and what it had read is read again when it leads
    standby.kill()
    until(lambda: leader.metric("relay_leader") == 1, 90, "it leads again")
    sent = cell.event("k1", kind="late", topic=f"{cell.prefix}late")
    cell.arrived()
    assert cell.ids(f"{cell.prefix}late") == [sent]


def test_who_leads_knows_first_which_keys_are_blocked(relay_cell, relay):
    """The claim came through, what is put aside could not be read: claimed
    anew, the row is its own already."""
    cell = relay_cell
    daemon = relay()
    cell.event("k0")
    cell.arrived()
    assert daemon.stop() == 0
    block(cell, cell.stock, 1)
    boss = cell.cell.connect("owner", cell.database)
    boss.autocommit = False
    try:
        with boss.cursor() as cur:
            cur.execute("LOCK TABLE dead_letters IN ACCESS EXCLUSIVE MODE")
        daemon = relay(wait_ready=False)
        until(lambda: "event=relay.session_lost" in daemon.logged(), 60,
              "it could not be read")
    finally:
        boss.close()
    until(lambda: daemon.metric("relay_leader") == 1, 60, "it leads")
    waits = cell.event("b1")
    cell.sent.pop()
    until(lambda: (waits,) in cell.sql("SELECT row_id FROM outbox_retry"), 60,
          "the row waits behind the letter")
    assert waits not in cell.ids(cell.stock)
