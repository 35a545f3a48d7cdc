"""Tables are read by bytes: memory does not grow with the rows' size, and each
row comes once, in order, whatever the size of its neighbours."""

import pytest

from harness.alone import Alone
from harness.kafka import header
from harness.shop import Shop
from harness.wait import until

# Small rows let pages grow; then 77 MB come in large ones, and small again.
ROWS = ("SELECT i, 'k' || i %% 7 AS key, repeat(md5(i::text), "
        "CASE WHEN i BETWEEN 3001 AND 3400 THEN 6000 ELSE 1 END) AS text "
        "FROM generate_series(1, 3600) i")
COUNT = 3600
PEAK_MB = 100


@pytest.fixture
def shop(cell, kafka):
    made = Shop(Alone(cell), kafka)
    made.alone.install("public.outbox", "outbox_relay")
    made.sql("INSERT INTO outbox (id, aggregatetype, aggregateid, type, "
             "payload) SELECT gen_random_uuid(), 'Order', key, 'C', "
             f"to_jsonb(text) FROM ({ROWS}) r ORDER BY i", ())
    yield made
    made.db.close()
    cell.drop_database(made.database)


def peak_mb(daemon):
    with open(f"/proc/{daemon.pid}/status", encoding="ascii") as status:
        line = next(x for x in status if x.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def check(cell, daemon, topic, rows, known_by=str):
    """rows: (key, id) in their order; known_by makes one of a header's."""
    daemon.wait_metric(COUNT, "relay_rows_delivered_total", 180)
    assert peak_mb(daemon) < PEAK_MB
    got = {}
    for r in cell.records(topic):
        got.setdefault(r["key"], []).append(known_by(header(r, "id")))
    want = {}
    for key, row_id in rows:
        want.setdefault(key, []).append(row_id)
    assert got == want


def test_a_table_read_whole_takes_little_memory(shop, daemons):
    rows = shop.sql("SELECT aggregateid, id::text FROM outbox ORDER BY n")
    daemon = daemons("outbox-relay", wait_ready=False, **shop.flags())
    check(shop, daemon, shop.topic, rows)
    # the cursor was at the end: the stream goes on behind it
    last = shop.order("k1")
    until(lambda: last in shop.ids(shop.topic), 60, "the stream")


def test_a_polled_table_takes_little_memory(shop, daemons):
    rows = shop.sql("SELECT aggregateid, id::text FROM outbox ORDER BY n")
    shop.poll()
    daemon = daemons("outbox-relay", wait_ready=False,
                     **shop.flags(source="poll"))
    check(shop, daemon, shop.topic, rows)
    until(lambda: shop.left() == 0, 60, "all deleted")


def test_the_ledgers_tables_take_little_memory(relay_cell, relay):
    cell = relay_cell
    cell.sql("INSERT INTO outbox (seq, id, aggregatetype, aggregateid, type, "
             "payload, created_at) SELECT i, gen_random_uuid(), 'stock', key, "
             f"'h', text, now() FROM ({ROWS}) r", ())
    rows = cell.sql("SELECT aggregateid, id::text FROM outbox ORDER BY seq")
    daemon = relay(wait_ready=False, source="poll")
    check(cell, daemon, cell.stock, rows)


def test_the_ledgers_results_take_little_memory(relay_cell, relay):
    cell = relay_cell
    stream = cell.stream(0)
    cell.sql("INSERT INTO answers (stream, log_seq, batch, pos, src_offset, "
             "decided_at, id_text, status, record_key, result) "
             "SELECT %s, i, 1, 1, i, now(), 'x', 's', "
             "convert_to(key, 'UTF8'), text "
             f"FROM ({ROWS}) r", (stream,))
    rows = cell.sql("SELECT convert_from(record_key, 'UTF8'), "
                    "stream || '-' || log_seq FROM answers ORDER BY log_seq")
    daemon = relay(wait_ready=False, source="poll")
    check(cell, daemon, cell.results, rows,
          known_by=lambda ident: ident.rpartition("-")[0])  # the digest
