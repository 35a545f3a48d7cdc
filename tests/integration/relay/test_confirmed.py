"""What PostgreSQL is told to be delivered has been delivered: else it never
sends it again, and a relay that dies takes the rows with it."""

import os
import signal

from harness.wait import until


def slot_of(relay_cell):
    rows = relay_cell.sql(
        "SELECT active_pid, confirmed_flush_lsn::text FROM "
        "pg_replication_slots WHERE slot_name = %s", (relay_cell.slot,))
    return rows[0] if rows else (None, None)


def test_rows_in_flight_survive_a_cut_stream_and_then_a_kill(
        relay_cell, relay, cell, database):
    boss = cell.connect("superuser", database)
    daemon = relay()
    relay_cell.load(50)
    relay_cell.arrived()
    kafka_pid = int((cell.state / "run" / "kafka.pid").read_text())
    os.kill(kafka_pid, signal.SIGSTOP)
    try:
        written = relay_cell.sql("SELECT pg_current_wal_lsn()::text")[0][0]
        relay_cell.load(200)
        until(lambda: daemon.metric("relay_in_flight_rows") >= 200, 20,
              "200 rows in flight")
        cut = slot_of(relay_cell)[0]
        with boss.cursor() as cur:
            cur.execute("SELECT pg_terminate_backend(%s)", (cut,))
        until(lambda: slot_of(relay_cell)[0] not in (None, cut), 30,
              "the stream is there again")
        streaming = slot_of(relay_cell)[0]

        def told():
            with boss.cursor() as cur:
                cur.execute("SELECT flush_lsn IS NOT NULL FROM "
                            "pg_stat_replication WHERE pid = %s",
                            (streaming,))
                row = cur.fetchone()
                return row and row[0]
        until(told, 30, "PostgreSQL was told a position")
        assert relay_cell.sql("SELECT %s::pg_lsn <= %s::pg_lsn",
                              (slot_of(relay_cell)[1], written))[0][0]
        daemon.kill()
    finally:
        os.kill(kafka_pid, signal.SIGCONT)
    relay()
    relay_cell.arrived(60)
