"""A transaction is read whole, however large it is, whatever waits meanwhile."""

import pytest

from harness.tcp_proxy import before_postgres
from harness.wait import until

ROWS = 12000  # several times what is read in one turn
OVERSIZE = '"' + "x" * 1100000 + '"'


def write(cell, cur):
    cur.execute(
        "INSERT INTO outbox (seq, id, aggregatetype, aggregateid, type, "
        "payload, created_at) SELECT 1000000 + i, gen_random_uuid(), 'stock', "
        "'bulk' || i %% 50, 'happened', repeat('x', 200), now() "
        "FROM generate_series(1, %s) i", (ROWS,))


def wait_for_a_topic(cell, daemon):
    cell.event("waits", "nosuch")
    until(lambda: daemon.metric("relay_in_flight_rows") == 1, 60, "it waits")


def test_larger_than_the_limit_beside_a_row_that_waits(relay_cell, relay):
    cell = relay_cell
    daemon = relay(topic_wait="1h", inflight="64KiB")
    wait_for_a_topic(cell, daemon)
    with cell.db.cursor() as cur:
        write(cell, cur)
    last = cell.event("other")
    until(lambda: last in cell.ids(cell.stock), 60, "what is behind it flows")
    assert daemon.metric("relay_rows_delivered_total") == ROWS + 1
    daemon.wait_metric(1, "relay_in_flight_rows")


@pytest.fixture
def behind(relay_cell, tmp_path):
    """A proxy before PostgreSQL, and the relay's URL behind it."""
    made = before_postgres(relay_cell.cell.url("relay", relay_cell.database),
                           tmp_path / "pass")
    yield made
    made[0].close()


def test_keys_are_released_while_it_is_read(relay_cell, relay, behind):
    """What waited behind the letter comes before what the transaction has."""
    cell, (link, url) = relay_cell, behind
    daemon = relay(database_url=url, topic_wait="1h")
    cell.event("k", payload=OVERSIZE)
    daemon.wait_metric(1, "relay_blocked_keys")
    waited = cell.event("k")
    daemon.wait_metric(1, "relay_rows_blocked_total")
    wait_for_a_topic(cell, daemon)
    before = daemon.metric("relay_rows_read_total")
    link.slow = True
    cell.db.autocommit = False
    with cell.db.cursor() as cur:
        write(cell, cur)
        later = cell.event("k", cur=cur)
    cell.db.commit()
    cell.db.autocommit = True
    until(lambda: daemon.metric("relay_rows_read_total") > before, 60,
          "it is read")
    cell.sql("INSERT INTO letter_states (letter_id, state, actor, reason) "
             "SELECT letter_id, 'discarded', 'ann', 'r' FROM dead_letters")
    until(lambda: waited in cell.ids(cell.stock), 60, "released")
    assert daemon.metric("relay_rows_read_total") < before + ROWS
    link.flow()
    until(lambda: later in cell.ids(cell.stock), 60, "the rest of it")
    of_key = [i for i in cell.ids(cell.stock) if i in (waited, later)]
    assert of_key == [waited, later]
    daemon.wait_metric(0, "relay_blocked_keys")
