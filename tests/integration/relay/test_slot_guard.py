"""A slot that keeps too much WAL: said in time, and healed when the server has
given it up."""

import signal

import pytest

from harness.hook_server import all_done
from harness.wait import until


@pytest.fixture
def superuser(cell, database):
    db = cell.connect("superuser", database)
    yield db
    db.close()


def run(db, sql, *args):
    with db.cursor() as cur:
        cur.execute(sql, args or None)
        return cur.fetchall() if cur.description else None


def write_wal(db, megabytes):
    for _ in range(megabytes):
        run(db, "SELECT pg_logical_emit_message(false, 'filler', "
            "repeat('x', 1000000))")


def test_not_ready_while_the_slot_keeps_too_much(relay_cell, relay, hooks,
                                                 server, cell, database,
                                                 superuser):
    """retained_max: what is not durable holds the position, and the WAL."""
    daemon = relay(webhooks=hooks(), retained_max="2MiB", ready_delay="1h")
    relay_cell.event("k0")
    all_done(relay_cell, 1)
    held = cell.connect("owner", database)
    held.autocommit = False
    with held.cursor() as cur:
        cur.execute("LOCK TABLE webhook_deliveries IN ACCESS EXCLUSIVE MODE")
    ids = [relay_cell.event(f"k{n}") for n in range(3)]
    write_wal(superuser, 4)

    def slot_line():
        return next((line for line in
                     daemon.get("/readyz?verbose")[1].splitlines()
                     if "the slot keeps" in line), None)
    line = until(slot_line, 60, "the guard says so")
    assert "retained_max is 2097152" in line
    # it lasts: the table stays locked
    until(lambda: daemon.get("/readyz")[0] == 503, 60, "not ready")
    until(lambda: daemon.metric("relay_slot_retained_bytes") > 2 * 2 ** 20,
          60, "the metric says so")
    held.rollback()
    held.close()
    all_done(relay_cell, 4)

    def ready():
        # the server moves a slot's restart_lsn at a checkpoint's record
        run(superuser, "CHECKPOINT")
        relay_cell.event("k0")
        return daemon.get("/readyz")[0] == 200
    until(ready, 120, "ready again", every=1)
    assert set(ids) <= set(server.ids())


@pytest.fixture
def short_of_wal(superuser):
    """invalidate(slot): the server takes it away, as it does when a slot keeps
    more than max_slot_wal_keep_size."""
    def set_to(sql):
        run(superuser, sql)
        run(superuser, "SELECT pg_reload_conf()")

    def status(slot):
        return run(superuser, "SELECT wal_status FROM pg_replication_slots "
                   "WHERE slot_name = %s", slot)

    def invalidate(slot):
        set_to("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")

        def lost():
            write_wal(superuser, 1)
            run(superuser, "SELECT pg_switch_wal()")
            run(superuser, "CHECKPOINT")
            return status(slot) == [("lost",)]
        until(lost, 120, "the slot is lost", every=0.2)
        set_to("ALTER SYSTEM RESET max_slot_wal_keep_size")
    yield invalidate
    set_to("ALTER SYSTEM RESET max_slot_wal_keep_size")


def test_an_invalidated_slot_is_healed_by_a_scan(relay_cell, relay,
                                                 short_of_wal):
    """The relay was away for longer than the server keeps WAL."""
    cell = relay_cell
    daemon = relay()
    cell.load(300)
    cell.arrived()
    assert daemon.stop() == 0
    cell.load(300)
    short_of_wal(cell.slot)
    cell.load(300)
    daemon = relay()
    cell.load(300)
    cell.arrived(120)
    assert daemon.metric("relay_rows_scanned_total") >= 600
    assert "event=relay.slot_made" in daemon.logged()
    until(lambda: cell.sql(
        "SELECT wal_status IN ('reserved', 'extended'), active "
        "FROM pg_replication_slots WHERE slot_name = %s", (cell.slot,))
        == [(True, True)], 60, "a new one is read")


def test_a_slot_invalidated_while_it_is_read(relay_cell, relay, short_of_wal):
    """A relay that was stopped (SIGSTOP) wakes to find it gone, and heals it
    without being restarted."""
    cell = relay_cell
    daemon = relay()
    cell.load(300)
    cell.arrived()
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        cell.load(300)
        short_of_wal(cell.slot)
        cell.load(300)
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    cell.load(300)
    cell.arrived(120)
    assert daemon.running()
    assert daemon.metric("relay_rows_scanned_total") >= 1
    until(lambda: daemon.get("/readyz")[0] == 200, 60, "ready again")
