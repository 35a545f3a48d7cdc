"""Rows of the four tables arrive: topic, key, value, headers, partition."""

import json
import os
import pathlib
import re
import signal
import time

import psycopg2
import pytest

from harness.kafka import header
from harness.wait import until

ROOT = pathlib.Path(__file__).resolve().parents[3]


def test_every_table_reaches_its_topic(relay_cell, relay):
    cell = relay_cell
    relay()
    first = cell.result("acme/u1", part=1, traceparent="00-aa-bb-01")
    answer = cell.result("acme/u1", part=1, source="answers")
    event = cell.event("acme/sku1", traceparent="00-cc-dd-01")
    letter = cell.rejected(part=3, key=b"\x00k", value=b"\x00\xff\x01",
                           headers=[(b"a", b"1"), (b"a", None),
                                    (b"ch_replay_count", b"2"),
                                    (b"__connect.errors.topic", b"old")])
    assert cell.arrived() == 0

    results = cell.records(cell.results)
    assert [header(r, "id") for r in results] == [first, answer]
    assert first.startswith(header(results[0], "ch_seq") + "-")
    assert header(results[0], "traceparent") == "00-aa-bb-01"
    assert header(results[1], "traceparent") is None
    assert results[0]["key"] == "acme/u1"
    assert json.loads(results[0]["payload"])["n"] == 1

    records = cell.records(cell.stock)
    assert records[0]["headers"] == ["id", event, "traceparent",
                                     "00-cc-dd-01"]
    assert records[0]["payload"] == '{"v": 1}'

    dead = until(lambda: cell.records(f"{cell.commands}.dlq"), 60, "dlq")[0]
    assert dead["partition"] == 3
    assert dead["payload"] == "\x00\udcff\x01"
    assert dead["headers"][:4] == ["a", "1", "a", None]
    assert header(dead, "__connect.errors.topic") == cell.commands
    assert header(dead, "__connect.errors.partition") == "3"
    assert header(dead, "__connect.errors.offset") == "1"
    assert header(dead, "__connect.errors.exception.message") == "not JSON"
    assert dead["headers"].count("__connect.errors.topic") == 1
    assert header(dead, "ch_error_class") == "unreadable"
    assert header(dead, "ch_replay_count") == "2"
    assert header(dead, "ch_attempts") == "1"
    assert header(dead, "ch_letter_id") == letter


def test_fleet_topics_and_extra_routes(relay_cell, relay, kafka):
    cell = relay_cell
    extra = kafka.unique("extra")
    kafka.create(extra)
    kafka.create("fleet.control", "fleet.alerts", partitions=1)
    relay(routes=f"order={extra}:skip")
    control = cell.event("trading", "fleet.control", topic="fleet.control")
    alert = cell.event("b1", "fleet.alerts", topic="fleet.alerts")
    order = cell.event("o1", "order", topic=extra)
    until(lambda: order in cell.ids(extra), 60, "the extra route")
    until(lambda: control in cell.ids("fleet.control"), 60, "fleet.control")
    until(lambda: alert in cell.ids("fleet.alerts"), 60, "fleet.alerts")


def test_rows_of_one_commit_leave_in_their_order(relay_cell, relay):
    """COPY into several partitions comes out regrouped by partition."""
    cell = relay_cell
    relay()
    cell.stream(0)
    rows = []
    for n in range(1, 201):
        day = "now()" if n % 3 else "now() - interval '1 day'"
        rows.append(f"(1, gen_random_uuid(), (({day}) AT TIME ZONE 'UTC')"
                    f"::date, {cell.streams[0]}, {n}, 1, 1, 'kafka', {n}, "
                    f"now(), 't', 'applied', decode(repeat('00', 32), 'hex'), "
                    f"'same', '{{}}', '{n}')")
    cell.sql("INSERT INTO command_log (org_id, id, day, stream, log_seq, "
             "batch, pos, source, src_offset, decided_at, type, status, "
             "payload_hash, record_key, command, result) VALUES "
             + ", ".join(rows))
    got = until(lambda: (r := cell.records(cell.results)) and len(r) == 200
                and r, 60, "200 results")
    assert [int(r["payload"]) for r in got] == list(range(1, 201))


def test_what_was_there_before_the_relay_is_delivered(relay_cell, relay):
    cell = relay_cell
    cell.load(500)
    relay()
    cell.load(500)
    cell.arrived()


def marks(cell):
    return cell.sql("SELECT stream, log_seq, at FROM delivery_marks "
                    "ORDER BY stream, log_seq")


def between(cell, stream, log_seq):
    return cell.sql("SELECT later_than, at_latest FROM delivered_between("
                    "%s, %s, %s, NULL)", (cell.slot, stream, log_seq))[0]


def saved(cell):
    """Waits until all that was loaded is written down as delivered."""
    want = {stream: cell.log_seq[part]
            for part, stream in cell.streams.items()}
    until(lambda: cell.sql(
        "SELECT s, n FROM relay_progress, unnest(streams, log_seqs) AS u "
        "(s, n) WHERE n > 0 ORDER BY s") == sorted(want.items()), 60,
        "progress is saved")


@pytest.mark.parametrize("source", ["wal", "poll"])
def test_a_delivery_lies_between_two_marks_that_stay(relay_cell, relay,
                                                     source):
    cell = relay_cell
    daemon = relay(source=source)
    for _ in range(3):
        cell.result("a", part=0)
    cell.arrived()
    saved(cell)
    cell.result("a", part=0)
    cell.result("b", part=1)
    cell.arrived()
    saved(cell)
    one, other = cell.streams[0], cell.streams[1]
    before = marks(cell)
    assert [(s, n) for s, n, _ in before if n >= 3 or s == other] == [
        (one, 3), (one, 4), (other, 1)], before
    at = {(s, n): at for s, n, at in before}
    assert between(cell, one, 4) == (at[one, 3], at[one, 4])
    assert between(cell, other, 1) == (None, at[other, 1]), "no mark before"
    assert between(cell, one, 5) == (None, None)

    # neither a restart nor what comes later moves them
    assert daemon.stop() == 0
    relay(source=source)
    cell.result("b", part=1)
    cell.arrived()
    saved(cell)
    assert [row for row in marks(cell) if row in before] == before
    assert between(cell, one, 4) == (at[one, 3], at[one, 4])
    assert len(marks(cell)) == len(before) + 1, "no stream is marked idle"


def test_the_relay_cannot_change_a_mark(relay_cell, relay):
    cell = relay_cell
    relay()
    cell.result("a")
    cell.arrived()
    saved(cell)
    own = cell.cell.connect("relay", cell.database)
    for change in ("UPDATE ch.delivery_marks SET at = now()",
                   "DELETE FROM ch.delivery_marks"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            with own.cursor() as cur:
                cur.execute(change)
    own.close()


def test_what_is_delivered_again_is_not_marked_anew(relay_cell, relay):
    """It left when it left: a progress that is forgotten changes no mark."""
    cell = relay_cell
    daemon = relay()
    cell.load(50)
    cell.arrived()
    saved(cell)
    assert daemon.stop() == 0
    before = marks(cell)
    cell.sql("UPDATE relay_progress SET lsn = NULL, snapshot = NULL, "
             "streams = '{}', log_seqs = '{}'")
    relay()
    saved(cell)
    assert marks(cell) == before


def test_a_save_reads_the_last_mark_of_each_stream_only(relay_cell):
    text = (ROOT / "services/outbox-relay/sql/progress_save.sql").read_text()
    cell = relay_cell
    cell.sql("INSERT INTO relay_progress (slot, owner) VALUES ('s', 'me')")
    cell.sql("INSERT INTO delivery_marks SELECT 's', 1 + mod(n, 3), n, now() "
             "FROM generate_series(1, 30000) AS n")
    cell.sql("ANALYZE delivery_marks")
    cell.sql("PREPARE save (text, text, text, int4, pg_lsn, int4[], int8[], "
             f"text, timestamptz) AS {text}")
    plan = cell.sql(
        "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) EXECUTE save ('s', 'me', "
        "'', 1, NULL, '{1,2,3}', '{30001,2,30003}', NULL, now())")
    reads = [line for line, in plan if " on delivery_marks m" in line]
    assert reads and all("Index Only Scan Backward" in line and
                         "rows=1 loops=3" in line for line in reads), plan
    assert cell.sql("SELECT stream, log_seq FROM delivery_marks WHERE "
                    "log_seq > 30000 ORDER BY 1") == [(1, 30001), (3, 30003)]


def test_metrics_and_health(relay_cell, relay):
    cell = relay_cell
    daemon = relay()
    cell.load(100)
    cell.arrived()
    until(lambda: daemon.metric("relay_rows_delivered_total") == 100, 60,
          "counted")
    daemon.wait_metric(0, "relay_in_flight_rows")
    daemon.wait_metric(1, "relay_leader")
    until(lambda: daemon.metric("relay_slot_active") == 1, 60, "slot seen")
    assert "[+]delivery" in daemon.get("/readyz?verbose")[1]
    # one for SQL, one for the stream; of one that was cut a session may linger
    until(lambda: cell.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'ch_relay' "
        "AND datname = %s", (cell.database,))[0][0] <= 2, 60,
        "two connections")
    assert daemon.stop() == 0


def test_ready_is_said_when_the_relay_knows_whether_it_leads(relay_cell,
                                                             relay):
    """Not in between: whoever waits for it would be too early."""
    server = int((relay_cell.cell.state / "run" / "postgres.pid").read_text())
    os.kill(server, signal.SIGSTOP)
    try:
        daemon = relay(wait_ready=False)
        until(lambda: "event=daemon.started" in daemon.logged(), 60, "started")
        since = time.monotonic()  # longer than readiness is looked at
        until(lambda: time.monotonic() > since + 0.5, 60, "it connects slowly")
    finally:
        os.kill(server, signal.SIGCONT)
    daemon.wait_ready()
    said = daemon.logged()
    assert 0 <= said.find("state=leading") < said.find("ready=true"), said


def test_who_makes_all_relays_stand_by_is_found(relay_cell, relay, cell):
    """Any login may hold the lock; the operator's page has the question."""
    stranger = cell.connect("reader", relay_cell.database)
    with stranger.cursor() as cur:
        cur.execute("SELECT pg_advisory_lock(17225, hashtext(%s))",
                    (relay_cell.slot,))
    daemon = relay(wait_ready=False)
    until(lambda: "state=standby" in daemon.logged(), 60, "it stands by")
    page = (ROOT / "docs" / "operator.md").read_text()
    asked, = re.findall(r"```sql\n(SELECT a\.pid, .*?;)\n```", page, re.S)
    admin = cell.connect("superuser", relay_cell.database)
    with admin.cursor() as cur:
        cur.execute(asked)
        assert [row[:2] for row in cur.fetchall()] == [
            (stranger.info.backend_pid, "ch_reader")]
        cur.execute("SELECT pg_terminate_backend(%s)",
                    (stranger.info.backend_pid,))
    admin.close()
    daemon.wait_metric(1, "relay_leader")


def test_fast_shutdown_of_the_server_is_not_held_up(relay_cell, relay):
    """Its walsender waits for the position to come to the end of the WAL; that
    is a moment behind what relay_progress says, and the relay hears that the
    server ends."""
    cell = relay_cell
    daemon = relay()
    cell.load(10)
    cell.arrived()
    cell.sql("CREATE TABLE other AS SELECT generate_series(1, 1000)")
    (made,), = cell.sql("SELECT pg_current_wal_lsn()::text")
    until(lambda: cell.sql(
        "SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots "
        "WHERE slot_name = %s", (made, cell.slot)) == [(True,)], 60,
        "the slot follows, though others write")
    stopped = cell.cell.script("postgres.sh", "stop")
    assert "did not stop" not in stopped.stdout
    cell.cell.script("postgres.sh", "start")
    cell.db = cell.cell.connect("owner", cell.database)
    cell.load(10)
    cell.arrived(60)
    assert daemon.running()
