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


def first_commit(boss, slot):
    """Where the first of the commits ends that the slot has before it."""
    with boss.cursor() as cur:
        cur.execute(
            "SELECT min(lsn)::text FROM pg_logical_slot_peek_binary_changes("
            "%s, NULL, NULL, 'proto_version', '1', 'publication_names', "
            "'ch_relay') WHERE get_byte(data, 0) = ascii('C')", (slot,))
        return cur.fetchone()[0]


def test_rows_in_flight_survive_a_cut_stream_and_then_a_kill(
        relay_cell, relay, cell, database):
    boss = cell.connect("superuser", database)
    daemon = relay()
    relay_cell.load(50)
    relay_cell.arrived()
    kafka_pid = int((cell.state / "run" / "kafka.pid").read_text())
    os.kill(kafka_pid, signal.SIGSTOP)
    try:
        # what else the server writes moves the position too, up to them
        peek = relay_cell.slot + "_peek"
        with boss.cursor() as cur:
            cur.execute("SELECT pg_create_logical_replication_slot(%s, "
                        "'pgoutput')", (peek,))
        relay_cell.load(200)
        until(lambda: daemon.metric("relay_in_flight_rows") >= 200, 60,
              "200 rows in flight")
        cut = until(lambda: slot_of(relay_cell)[0], 60, "the stream")
        with boss.cursor() as cur:
            cur.execute("SELECT pg_terminate_backend(%s)", (cut,))
        until(lambda: slot_of(relay_cell)[0] not in (None, cut), 60,
              "the stream is there again")
        streaming = slot_of(relay_cell)[0]

        def told():
            with boss.cursor() as cur:
                cur.execute("SELECT flush_lsn IS NOT NULL FROM "
                            "pg_stat_replication WHERE pid = %s",
                            (streaming,))
                row = cur.fetchone()
                return row and row[0]
        until(told, 60, "PostgreSQL was told a position")
        assert relay_cell.sql("SELECT %s::pg_lsn < %s::pg_lsn", (
            slot_of(relay_cell)[1], first_commit(boss, peek)))[0][0]
        daemon.kill()
    finally:
        os.kill(kafka_pid, signal.SIGCONT)
    relay()
    relay_cell.arrived(60)
