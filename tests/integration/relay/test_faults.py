"""Nothing is lost and the order per key holds, whatever ends when."""

import json
import os
import random
import threading

import psycopg2.errors

from harness.wait import until

SEED = int(os.environ.get("SEED") or random.randrange(1 << 30))


def background(cell, count, seed):
    thread = threading.Thread(target=cell.load, args=(
        count, random.Random(seed)))
    thread.start()
    return thread


def test_kill_minus_9_under_load(relay_cell, relay):
    print(f"SEED={SEED}")
    cell, rng = relay_cell, random.Random(SEED)
    daemon = relay()
    load = background(cell, 6000, SEED)
    kills = 0
    while load.is_alive() or kills < 4:
        at = daemon.metric("relay_rows_delivered_total")
        step = rng.randrange(1, 800)
        until(lambda: not load.is_alive() or
              daemon.metric("relay_rows_delivered_total") >= at + step, 60,
              "some are delivered")
        daemon.kill()
        kills += 1
        daemon = relay()
    load.join()
    cell.arrived(60)


def load_large(cell, count):
    """Events that have 3 MB together, in small transactions."""
    cell.db.autocommit = False
    for n in range(count):
        with cell.db.cursor() as cur:
            cell.event(f"k{n % 7}", payload=json.dumps("x" * 1500), cur=cur)
        if n % 20 == 19:
            cell.db.commit()
    cell.db.commit()
    cell.db.autocommit = True


def test_kafka_away_for_some_seconds(relay_cell, relay, cell):
    daemon = relay(ready_delay="2s", inflight="256KiB")
    relay_cell.load(200)
    relay_cell.arrived()
    cell.script("kafka.sh", "stop")
    try:
        relay_cell.load(500)
        load_large(relay_cell, 2000)
        until(lambda: daemon.get("/readyz")[0] == 503, 60,
              "not ready: nothing is delivered")
        # bounded while blocked, and the server still hears of us
        until(lambda: daemon.metric("relay_in_flight_bytes") > 200000, 60,
              "in flight grows")
        # the limit, and what one turn reads more of the WAL: 1 MiB; in flight
        # a row is larger by its record, and less than twice so large
        assert daemon.metric("relay_in_flight_bytes") < 262144 + (2 << 20)
    finally:
        cell.script("kafka.sh", "start")
    assert relay_cell.arrived(90) == 0
    assert relay_cell.letters() == []  # an outage parks nothing
    until(lambda: daemon.get("/readyz")[0] == 200, 60, "ready again")


def test_postgres_restarted_immediately(relay_cell, relay, cell, database):
    daemon = relay()
    relay_cell.load(1000)
    relay_cell.arrived()
    until(lambda: relay_cell.sql(
        "SELECT (SELECT sum(s) FROM unnest(log_seqs) s) = %s AND (SELECT "
        "bool_and(pg_visible_in_snapshot(xid, snapshot)) FROM outbox) "
        "FROM relay_progress", (sum(relay_cell.log_seq.values()),))
        == [(True,)], 60, "what was delivered is written")
    # and durable: it is committed without waiting
    relay_cell.sql("SELECT pg_current_xact_id()")
    cell.script("postgres.sh", "immediate")
    cell.script("postgres.sh", "start")
    relay_cell.db = cell.connect("owner", database)
    relay_cell.load(500)
    repeated = relay_cell.arrived(60)
    assert repeated == 0, "the row is believed, nothing comes again"
    assert daemon.running()


def test_dropped_slot_is_healed_by_a_scan(relay_cell, relay, cell,
                                          database):
    super_db = cell.connect("superuser", database)
    cell = relay_cell
    daemon = relay()
    cell.load(500)
    cell.arrived()
    daemon.kill()
    cell.load(300)

    def dropped():
        try:
            with super_db.cursor() as cur:
                cur.execute("SELECT pg_drop_replication_slot(%s)",
                            (cell.slot,))
            return True
        except psycopg2.errors.ObjectInUse:  # for a moment
            return False
    until(dropped, 60, "slot dropped")
    cell.load(300)
    again = relay()
    cell.load(300)
    cell.arrived(60)
    assert again.metric("relay_rows_scanned_total") >= 600
    super_db.close()


def test_another_timeline_is_scanned(relay_cell, relay):
    cell = relay_cell
    daemon = relay()
    cell.load(200)
    cell.arrived()
    assert daemon.stop() == 0
    cell.load(200)
    cell.sql("UPDATE relay_progress SET timeline = 77")
    again = relay()
    assert cell.arrived(60) == 0
    assert again.metric("relay_rows_scanned_total") == 200
    until(lambda: cell.sql(
        "SELECT timeline, lsn IS NOT NULL FROM relay_progress") == [(1, True)],
        60, "the position is stored")


def test_standby_takes_over(relay_cell, relay):
    cell = relay_cell
    first = relay()
    first.wait_metric(1, "relay_leader")
    second = relay()
    assert second.metric("relay_leader") == 0
    assert second.get("/readyz")[0] == 200
    cell.load(300)
    cell.arrived()
    first.kill()
    cell.load(300)
    cell.arrived(60)
    second.wait_metric(1, "relay_leader")


def test_stop_and_start_repeats_nothing(relay_cell, relay):
    cell = relay_cell
    for _ in range(3):
        daemon = relay()
        cell.load(400)
        assert cell.arrived() == 0
        assert daemon.stop() == 0


def test_polling_delivers_the_same(relay_cell, relay):
    cell = relay_cell
    cell.load(300)
    daemon = relay(source="poll")
    load = background(cell, 2000, SEED)
    load.join()
    assert cell.arrived(60) == 0
    daemon.wait_metric(1, "relay_polling")
    slots = cell.sql("SELECT count(*) FROM pg_replication_slots "
                     "WHERE slot_name = %s", (cell.slot,))
    assert slots == [(0,)]


def test_polling_sees_what_commits_late(relay_cell, relay, cell, database):
    """A lower seq that commits after a higher one was delivered."""
    relay(source="poll")
    slow = cell.connect("owner", database)
    slow.autocommit = False
    with slow.cursor() as cur:
        early = relay_cell.event("slow", cur=cur)
    quick = relay_cell.event("quick")
    until(lambda: quick in relay_cell.ids(relay_cell.stock), 60, "quick")
    slow.commit()
    until(lambda: early in relay_cell.ids(relay_cell.stock), 60, "early")
    slow.close()


def test_polling_then_the_wal(relay_cell, relay):
    cell = relay_cell
    daemon = relay(source="poll")
    cell.load(300)
    cell.arrived()
    assert daemon.stop() == 0
    cell.load(300)
    relay(source="wal")
    cell.load(300)
    cell.arrived(60)
