"""A row that waits, for its topic or on trial, holds up its key alone, wherever
rows come from; and is not lost for it when the relay is killed."""

import pytest

from harness.cell import drop_slot
from harness.relay_rows import noise, small_topic
from harness.wait import until


def waiting(cell, daemon):
    """One row that waits for its topic, which is named."""
    daemon.wait_ready()
    cell.event("stuck", "nosuch")
    until(lambda: daemon.metric("relay_in_flight_rows") == 1, 60, "it waits")
    return cell.prefix + "nosuch"


def pass_by(cell, daemon, count=5):
    """Other rows, of another table too, are delivered; the relay says that one
    is not."""
    rows = [cell.event(f"o{n}") for n in range(count)]
    result = cell.result("r")
    until(lambda: set(rows) <= set(cell.ids(cell.stock)), 60, "others pass")
    until(lambda: result in cell.ids(cell.results), 60, "a result passes")
    until(lambda: daemon.get("/readyz")[0] == 503, 60, "not ready")
    assert daemon.metric("relay_in_flight_rows") >= 1
    return rows + [result]


def once(cell, rows):
    got = cell.ids(cell.stock) + cell.ids(cell.results)
    assert [got.count(row) for row in rows] == [1] * len(rows)


FLAGS = {"topic_wait": "1h", "ready_delay": "1s"}


def test_rounds_of_the_tables_pass_a_row_that_waits(relay_cell, relay):
    cell = relay_cell
    daemon = relay(source="poll", **FLAGS)
    topic = waiting(cell, daemon)
    once(cell, pass_by(cell, daemon) + pass_by(cell, daemon))
    daemon.kill()
    daemon = relay(source="poll", wait_ready=False, **FLAGS)
    pass_by(cell, daemon)
    cell.kafka.create(topic)
    cell.arrived()
    daemon.wait_metric(0, "relay_in_flight_rows")
    daemon.wait_ready()
    # what is stored is the last round: nothing comes again
    until(lambda: cell.sql("SELECT NOT EXISTS (SELECT FROM outbox o WHERE "
                           "NOT pg_visible_in_snapshot(o.xid, p.snapshot)) "
                           "FROM relay_progress p") == [(True,)], 60, "stored")
    daemon.kill()
    daemon = relay(source="poll", **FLAGS)
    last = cell.event("last")
    until(lambda: last in cell.ids(cell.stock), 60, "it goes on")
    assert daemon.metric("relay_rows_scanned_total") == 1


def test_rounds_of_the_tables_pass_a_key_on_trial(relay_cell, relay):
    cell = relay_cell
    topic = small_topic(cell)
    daemon = relay(source="poll", routes=f"small={topic}:skip-after-100",
                   ready_delay="1s")
    cell.event("h", "small", payload=noise(60000))
    daemon.wait_metric(1, "relay_held_keys")
    once(cell, pass_by(cell, daemon) + pass_by(cell, daemon))


def test_rounds_go_on_when_the_session_was_lost(relay_cell, relay, cell,
                                                database):
    """Behind what is in flight: nothing that was delivered comes again."""
    it = relay_cell
    daemon = relay(source="poll", **FLAGS)
    topic = waiting(it, daemon)
    rows = pass_by(it, daemon)
    boss = cell.connect("superuser", database)
    with boss.cursor() as cur:
        cur.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE usename = 'ch_relay' AND datname = %s",
                    (database,))
    boss.close()
    until(lambda: "relay.session_lost" in daemon.logged(), 60, "it is lost")
    once(it, rows + pass_by(it, daemon))
    assert daemon.metric("relay_in_flight_rows") == 1
    it.kafka.create(topic)
    assert it.arrived() == 0


@pytest.fixture
def lost_slot(cell, database):
    """lost_slot(name): the server has given it up."""
    boss = cell.connect("superuser", database)

    def lose(name):
        with boss.cursor() as cur:
            drop_slot(cur, name)
    yield lose
    boss.close()


def position(cell):
    return cell.sql("SELECT lsn IS NOT NULL FROM relay_progress")[0][0]


def test_the_stream_begins_behind_a_scanned_row_that_waits(relay_cell, relay,
                                                           lost_slot):
    """The position is stored when that is delivered: killed before, the relay
    scans again; after, it does not."""
    cell = relay_cell
    daemon = relay(**FLAGS)
    topic = waiting(cell, daemon)
    lost_slot(cell.slot)
    until(lambda: "relay.slot_made" in daemon.logged(), 60, "made again")
    rows = pass_by(cell, daemon)
    until(lambda: daemon.metric("relay_streams_total") == 2, 60, "it tails")
    rows += pass_by(cell, daemon)
    once(cell, rows)
    assert not position(cell)

    daemon.kill()
    daemon = relay(wait_ready=False, **FLAGS)
    until(lambda: daemon.metric("relay_streams_total") == 1, 60, "it tails")
    rows = pass_by(cell, daemon)
    once(cell, rows)
    assert not position(cell)
    cell.kafka.create(topic)
    cell.arrived()
    until(lambda: position(cell), 60, "the position is stored")
    daemon.wait_ready()

    assert daemon.stop() == 0
    daemon = relay(**FLAGS)
    last = cell.event("last")
    until(lambda: last in cell.ids(cell.stock), 60, "it goes on")
    assert daemon.metric("relay_rows_scanned_total") == 0
    once(cell, rows + [last])


def test_the_stream_is_lost_behind_a_scanned_row_that_waits(relay_cell, relay,
                                                            lost_slot, cell,
                                                            database):
    """The same slot goes on where it was read; another one is scanned for."""
    it = relay_cell
    daemon = relay(**FLAGS)
    topic = waiting(it, daemon)
    lost_slot(it.slot)
    until(lambda: daemon.metric("relay_streams_total") == 2, 60, "it tails")
    rows = pass_by(it, daemon)
    boss = cell.connect("superuser", database)
    with boss.cursor() as cur:
        cur.execute("SELECT pg_terminate_backend(active_pid) FROM "
                    "pg_replication_slots WHERE slot_name = %s", (it.slot,))
    boss.close()
    until(lambda: daemon.metric("relay_streams_total") == 3, 60, "it goes on")
    once(it, rows + pass_by(it, daemon))
    assert daemon.logged().count("event=relay.slot_made") == 2
    lost_slot(it.slot)
    until(lambda: daemon.metric("relay_streams_total") == 4, 60, "made again")
    pass_by(it, daemon)
    assert not position(it)
    it.kafka.create(topic)
    it.arrived()
    until(lambda: position(it), 60, "the position is stored")
