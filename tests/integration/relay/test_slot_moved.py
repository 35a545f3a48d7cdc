"""A slot that is not where the relay left it: PostgreSQL begins at the slot's
own position without a word, so what lies between would never come."""

import pytest

from harness.wait import until


def remade(rows, boss):
    """Without the row of before; with that of after."""
    until(lambda: run(
        boss, "SELECT pg_drop_replication_slot(slot_name) FROM "
        "pg_replication_slots WHERE slot_name = %s AND NOT active",
        rows.slot), 60, "the slot is dropped")
    write(rows)
    run(boss, "SELECT pg_create_logical_replication_slot(%s, 'pgoutput')",
        rows.slot)


def advanced(rows, boss):
    write(rows)
    until(lambda: run(
        boss, "SELECT pg_replication_slot_advance(slot_name, "
        "pg_current_wal_lsn()) FROM pg_replication_slots WHERE slot_name = %s "
        "AND NOT active", rows.slot), 60, "the slot is moved")


def run(db, sql, *args):
    with db.cursor() as cur:
        cur.execute(sql, args or None)
        return cur.fetchall() if cur.description else None


def write(rows):
    if hasattr(rows, "order"):
        for n in range(20):
            rows.order(f"k{n % 3}")
    else:
        rows.load(20)


@pytest.fixture
def boss(cell, database):
    db = cell.connect("superuser", database)
    yield db
    db.close()


@pytest.mark.parametrize("moved", [remade, advanced])
def test_a_slot_moved_while_the_relay_was_away(relay_cell, relay, boss,
                                               moved):
    """Of the ledger's tables nothing is sent twice for it."""
    rows = relay_cell
    daemon = relay()
    write(rows)
    rows.arrived()
    assert daemon.stop() == 0
    moved(rows, boss)
    write(rows)
    daemon = relay()
    write(rows)
    assert rows.arrived() == 0
    assert daemon.logged().count("event=relay.slot_moved") == 1
    # and it is as any other: a restart reads no table
    assert daemon.stop() == 0
    daemon = relay()
    write(rows)
    assert rows.arrived() == 0
    assert daemon.metric("relay_rows_scanned_total") == 0


@pytest.mark.parametrize("moved", [remade, advanced])
def test_an_applications_slot_moved(bare, daemons, moved):
    """The table is sent again, since it says of no row that it was delivered;
    what came after the move is in the slot as well."""
    shop = bare
    shop.alone.install("public.outbox", "outbox_relay")
    daemon = daemons("outbox-relay", **shop.flags())
    write(shop)
    assert shop.arrived() == 0
    assert daemon.stop() == 0
    moved(shop, shop.db)
    write(shop)
    daemon = daemons("outbox-relay", **shop.flags(outbox_snapshot="no_data"))
    until(lambda: daemon.metric("relay_streams_total") == 1, 60, "it tails")
    write(shop)
    assert shop.arrived() == 40
    assert daemon.logged().count("event=relay.slot_moved") == 1


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_an_idle_relay_reads_no_table_when_it_is_restarted(
        bare, daemons, end):
    """Its slot follows what others write, and no further than it says in
    relay_progress."""
    shop = bare
    shop.alone.install("public.outbox", "outbox_relay")
    daemon = daemons("outbox-relay", **shop.flags())
    write(shop)
    shop.arrived()
    for n in range(3):
        shop.sql(f"CREATE TABLE other{n} AS SELECT generate_series(1, 10000)")
        (now,), = shop.sql("SELECT pg_current_wal_lsn()::text")
        until(lambda: shop.sql(
            "SELECT confirmed_flush_lsn >= %s::pg_lsn FROM "
            "pg_replication_slots WHERE slot_name = %s", (now, shop.slot))
            == [(True,)], 120, "the slot follows")
    if end == "stopped":
        assert daemon.stop() == 0
    else:
        daemon.kill()
    shop.sql("CREATE TABLE another AS SELECT generate_series(1, 1000)")
    daemon = daemons("outbox-relay", **shop.flags())
    write(shop)
    assert shop.arrived() == 0
    assert daemon.metric("relay_rows_scanned_total") == 0
    assert "relay.slot_moved" not in daemon.logged()
