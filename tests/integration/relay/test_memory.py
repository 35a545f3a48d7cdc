"""The relay's memory is bounded by what it may have in flight, not by what
waits for it: in the WAL, in the table, or for a broker that says nothing."""

import os
import pathlib
import re
import signal

import pytest

from harness.alone import Alone
from harness.shop import Shop
from harness.wait import until

FEW, MANY, PER = 20000, 200000, 500
PAYLOAD = 200
INFLIGHT = "1MiB"
# What many rows may take more than few. Kept, they would be 180,000 times a
# row, its key and its headers, in the relay and in the client: over 100 MB.
MORE_KB = 24 * 1024


@pytest.fixture
def shop(cell, kafka):
    made = Shop(Alone(cell), kafka)
    made.alone.install("public.outbox", "outbox_relay")
    yield made
    made.db.close()
    cell.drop_database(made.database)


def fill(shop, rows):
    for _ in range(rows // PER):
        shop.sql("INSERT INTO outbox (id, aggregatetype, aggregateid, type, "
                 "payload) SELECT gen_random_uuid(), 'Order', 'k' || n, "
                 "'Created', to_jsonb(repeat('x', %s)) "
                 "FROM generate_series(1, %s) n", (PAYLOAD, PER))


def peak_kb(daemon):
    text = pathlib.Path(f"/proc/{daemon.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", text)[1])


def delivered(daemon, rows):
    until(lambda: daemon.metric("relay_rows_delivered_total") >= rows, 300,
          f"{rows} rows delivered", every=0.2)


def peak_of(shop, daemons, rows, **flags):
    """Of a relay that delivers so many and ends."""
    daemon = daemons("outbox-relay", wait_ready=False,
                     **shop.flags(inflight=INFLIGHT, **flags))
    delivered(daemon, rows)
    kb = peak_kb(daemon)
    assert daemon.stop() == 0
    return kb


def test_a_backlog_in_the_wal(shop, daemons):
    peaks = []
    first = daemons("outbox-relay", **shop.flags())  # makes the slot
    assert first.stop() == 0
    for rows in (FEW, MANY):
        fill(shop, rows)
        peaks.append(peak_of(shop, daemons, rows))
    assert peaks[1] - peaks[0] < MORE_KB, peaks


def test_a_table_that_is_read_whole(shop, daemons):
    peaks = []
    for rows in (FEW, MANY):
        shop.sql("TRUNCATE outbox")
        fill(shop, rows)
        peaks.append(peak_of(shop, daemons, rows, slot=f"{shop.slot}_{rows}"))
    assert peaks[1] - peaks[0] < MORE_KB, peaks


def test_kafka_that_says_nothing(cell, shop, daemons):
    daemon = daemons("outbox-relay", **shop.flags(inflight=INFLIGHT))
    fill(shop, FEW)
    delivered(daemon, FEW)
    before = peak_kb(daemon)
    broker = int((cell.state / "run" / "kafka.pid").read_text())
    os.kill(broker, signal.SIGSTOP)
    try:
        fill(shop, MANY)
        until(lambda: daemon.metric("relay_in_flight_bytes") >= 1 << 20, 60,
              "it reads no more")
    finally:
        os.kill(broker, signal.SIGCONT)
    delivered(daemon, FEW + MANY)
    assert peak_kb(daemon) - before < MORE_KB, (before, peak_kb(daemon))
    assert daemon.stop() == 0
