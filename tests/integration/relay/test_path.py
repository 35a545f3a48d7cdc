"""Rows of the four tables arrive: topic, key, value, headers, partition."""

import json
import os
import signal
import time

from harness.kafka import header
from harness.wait import until


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
