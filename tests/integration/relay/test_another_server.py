"""The relay on a server that is not the one of before: a dump restored into a
new cluster, a standby that lagged and was promoted, a copy of its own files.
What was delivered there says nothing here, and nothing of here is passed over
for it."""

import pathlib
import shutil
import subprocess
import tempfile

import pytest

from harness.alone import Alone
from harness.cell import Cell
from harness.kafka import header
from harness.shop import Shop
from harness.wait import until

BURN = """DO $$ BEGIN
    FOR i IN 1..3000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP;
END $$"""


@pytest.fixture
def elsewhere():
    """A cluster of its own: roles, and an empty database."""
    own = Cell()
    own.kept, own.state = False, pathlib.Path(
        tempfile.mkdtemp(prefix="ch-elsewhere-"))
    own.state.chmod(0o755)
    try:
        own.script("postgres.sh", "start")
        own.read_env()
        yield own
    finally:
        own.stop()


def asked(server, database, sql):
    db = server.connect("superuser", database)
    try:
        with db.cursor() as cur:
            cur.execute(sql)
            return cur.fetchall() if cur.description else None
    finally:
        db.close()


def xid(server, database):
    return asked(server, database,
                 "SELECT pg_current_xact_id()::text::int8")[0][0]


def restore(old, database, new, into):
    """As an operator does it; on the old one far more was written before."""
    dump = subprocess.run(["pg_dump", "-d", old.url("superuser", database)],
                          stdout=subprocess.PIPE, check=True).stdout
    run = subprocess.run(
        ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d",
         new.url("superuser", into)], input=dump, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
    assert run.returncode == 0, run.stdout
    assert xid(new, into) + 1000 < xid(old, database)


def decided_anew(rows, seq, gone):
    """What stands now where the rows that are gone stood; the results first."""
    rows.log_seq[0], rows.seq = 10, seq
    again = [rows.result("again") for _ in range(5)]
    again += [rows.event("again") for _ in range(5)]
    rows.arrived(120)
    assert not set(gone) & set(again), "other contents have other ids"
    return again


# ---- a dump that was restored

def test_a_ledger_restored_elsewhere(relay_cell, relay, elsewhere):
    """Delivered rows may come again; those that the dump held undelivered, and
    those that are written from then on, come."""
    rows, old = relay_cell, relay_cell.cell
    asked(old, rows.database, BURN)
    daemon = relay()
    rows.load(200)
    rows.arrived()
    until(lambda: rows.sql("SELECT snapshot IS NOT NULL FROM relay_progress")
          == [(True,)], 60, "a snapshot is stored")
    assert daemon.stop() == 0
    rows.load(50)  # undelivered

    restore(old, rows.database, elsewhere, "countinghouse")
    rows.cell, rows.database = elsewhere, "countinghouse"
    rows.db.close()
    rows.db = elsewhere.connect()
    rows.load(50)  # before the relay is there
    daemon = relay()
    until(lambda: daemon.metric("relay_streams_total") >= 1, 60, "it tails")
    rows.load(200)
    rows.arrived(120)
    until(lambda: rows.sql(
        "SELECT p.system_id = c.system_identifier::text, lsn IS NOT NULL "
        "FROM relay_progress p, pg_control_system() c") == [(True, True)],
        60, "the position is this system's")

    # from here on it knows: a restart repeats nothing
    assert daemon.stop() == 0
    before = len(rows.ids(rows.stock)) + len(rows.ids(rows.results))
    rows.load(100)
    relay()
    rows.arrived()
    assert len(rows.ids(rows.stock)) + len(rows.ids(rows.results)) \
        == before + 100

    # docs/operator.md: so that retention need not wait for those xids
    foreign = "xid >= pg_snapshot_xmax(pg_current_snapshot())"
    assert rows.sql(f"SELECT count(*) > 0 FROM outbox WHERE {foreign}")[0][0]
    rows.sql(f"UPDATE outbox SET xid = pg_current_xact_id() WHERE {foreign}")
    rows.event("k0")
    rows.arrived()
    until(lambda: rows.sql(
        "SELECT bool_and(pg_visible_in_snapshot(xid, snapshot)) "
        "FROM outbox, relay_progress WHERE seq < %s", (rows.seq,))
        == [(True,)], 60, "what was restored is seen as delivered")
    rows.db.close()


def test_a_ledger_restored_elsewhere_is_polled(relay_cell, relay, elsewhere):
    rows, old = relay_cell, relay_cell.cell
    asked(old, rows.database, BURN)
    daemon = relay(source="poll")
    rows.load(200)
    rows.arrived()
    until(lambda: rows.sql("SELECT snapshot IS NOT NULL FROM relay_progress")
          == [(True,)], 60, "a snapshot is stored")
    assert daemon.stop() == 0
    rows.load(50)
    restore(old, rows.database, elsewhere, "countinghouse")
    rows.cell, rows.database = elsewhere, "countinghouse"
    rows.db.close()
    rows.db = elsewhere.connect()
    rows.load(50)
    relay(source="poll")
    rows.load(200)
    rows.arrived(120)
    rows.db.close()


def test_an_applications_table_restored_elsewhere(cell, kafka, daemons,
                                                  elsewhere):
    shop = Shop(Alone(cell), kafka)
    asked(cell, shop.database, BURN)
    shop.alone.install("public.outbox", "outbox_relay")
    daemon = daemons("outbox-relay", **shop.flags())
    for n in range(20):
        shop.order(f"k{n % 3}")
    shop.arrived()
    until(lambda: shop.sql("SELECT snapshot IS NOT NULL FROM "
                           "outbox_relay.relay_progress") == [(True,)],
          60, "a snapshot is stored")
    assert daemon.stop() == 0

    new = Alone(elsewhere)
    restore(cell, shop.database, elsewhere, new.name)
    shop.db.close()
    cell.drop_database(shop.database)
    shop.cell, shop.alone, shop.database = elsewhere, new, new.name
    shop.db = new.connect()
    # no_data is for the first start only, and this is none
    daemon = daemons("outbox-relay", **shop.flags(outbox_snapshot="no_data"))
    until(lambda: daemon.metric("relay_streams_total") >= 1, 60, "it tails")
    for n in range(20):
        shop.order(f"k{n % 3}")
    assert shop.arrived(120) == 20  # the table, once more
    assert daemon.metric("relay_rows_repeated_total") == 0
    shop.db.close()


# ---- a standby that lagged

def saved(server, database):
    return asked(server, database,
                 "SELECT log_seqs FROM ch.relay_progress")


@pytest.mark.parametrize("source", ["wal", "poll"])
def test_a_standby_that_lagged_is_promoted(relay_cell, relay, server_of,
                                           source):
    """Asynchronous: what it had not received is decided anew, otherwise, under
    the numbers that were published already. The relay runs all the while."""
    rows, database = relay_cell, relay_cell.database
    primary = server_of(rows.cell)
    standby = server_of(primary, standby=True)
    rows.cell = primary
    rows.db.close()
    rows.db = primary.connect("owner", database)
    daemon = relay(source=source, database_url=(
        f"postgresql://ch_relay@/{database}?host={primary.dir},{standby.dir}"
        f"&port={primary.port},{standby.port}"))
    for n in range(10):
        rows.result(f"k{n % 3}")
        rows.event(f"k{n % 3}")
    rows.arrived()
    until(lambda: saved(standby, database) == [([10],)], 60,
          "the standby has it")
    asked(standby, "postgres", "ALTER SYSTEM SET primary_conninfo = ''")
    asked(standby, "postgres", "SELECT pg_reload_conf()")
    until(lambda: asked(standby, "postgres",
                        "SELECT count(*) FROM pg_stat_wal_receiver")
          == [(0,)], 60, "it receives no more")

    seq = rows.seq
    gone = [rows.result("gone") for _ in range(5)]
    gone += [rows.event("gone") for _ in range(5)]
    asked(primary, database, "SELECT pg_logical_emit_message(false, 'filler', "
          "repeat('x', 1000000)) FROM generate_series(1, 4)")
    rows.arrived()
    until(lambda: saved(primary, database) == [([15],)], 60, "and delivered")
    ahead = asked(primary, database, "SELECT pg_current_wal_lsn()")[0][0]
    primary.crash()

    standby.promote()
    rows.cell = standby
    rows.db.close()
    rows.db = standby.connect("owner", database)
    again = decided_anew(rows, seq, gone)
    assert daemon.running()
    places = {header(r, "ch_seq") for r in rows.records(rows.results)
              if r["key"] == "again"}
    assert places == {id_.rpartition("-")[0] for id_ in again[:5]}

    # and the position is this history's, not the one that lay further ahead
    rows.load(50)
    rows.arrived(120)
    until(lambda: asked(
        standby, database, "SELECT timeline, lsn IS NULL OR lsn <= "
        "pg_current_wal_lsn() FROM ch.relay_progress") == [(2, True)], 60,
        "stored so")
    if source == "wal":
        (told, now), = asked(
            standby, database, "SELECT confirmed_flush_lsn <= "
            f"pg_current_wal_lsn(), pg_current_wal_lsn() < '{ahead}' "
            "FROM pg_replication_slots")
        assert told and now
    rows.db.close()


# ---- a server that was set back in place

def put_back(server, copy):
    """The server's files are those of the copy; it runs again."""
    server.crash()
    shutil.rmtree(server.data)
    copy.rename(server.data)
    server.start()


def copied(server):
    """A copy of its files, as a volume's snapshot; it runs again."""
    server.crash()
    copy = server.dir / "copy"
    subprocess.run(["cp", "-a", server.data, copy], check=True)
    server.start()
    return copy


@pytest.mark.parametrize("source", ["wal", "poll"])
def test_a_server_set_back_in_place(relay_cell, relay, server_of, source):
    """The same system and timeline, and the row as its owner left it: what the
    relay remembers beyond it is of a future that is gone."""
    rows, database = relay_cell, relay_cell.database
    server = server_of(rows.cell)
    rows.cell = server
    rows.db.close()
    rows.db = server.connect("owner", database)
    daemon = relay(source=source)
    for n in range(10):
        rows.result(f"k{n % 3}")
        rows.event(f"k{n % 3}")
    rows.arrived()
    until(lambda: saved(server, database) == [([10],)], 60, "it is stored")
    rows.db.close()
    copy = copied(server)

    rows.db = server.connect("owner", database)
    seq = rows.seq
    gone = [rows.result("gone") for _ in range(5)]
    gone += [rows.event("gone") for _ in range(5)]
    rows.arrived()
    until(lambda: saved(server, database) == [([15],)], 60, "and delivered")
    rows.db.close()
    put_back(server, copy)

    rows.db = server.connect("owner", database)
    again = decided_anew(rows, seq, gone)
    assert daemon.running()
    rows.db.close()


def test_a_row_that_is_ahead_of_its_server(relay_cell, relay):
    """Nothing of this server's WAL would be read until it had come so far."""
    rows = relay_cell
    daemon = relay()
    rows.load(100)
    rows.arrived()
    assert daemon.stop() == 0
    rows.sql("UPDATE relay_progress SET lsn = 'FFFFFF/0'")
    rows.load(50)
    daemon = relay()
    rows.load(50)
    rows.arrived()
    until(lambda: rows.sql("SELECT lsn <= pg_current_wal_lsn() "
                           "FROM relay_progress") == [(True,)], 60,
          "the position is this server's")
    assert daemon.running()


def test_the_same_result_keeps_its_id(relay_cell, relay):
    """A row that is sent once more, by whoever and from wherever, is dropped
    by whoever drops repeated ids."""
    rows = relay_cell
    daemon = relay()
    rows.load(100)
    rows.arrived()
    assert daemon.stop() == 0
    rows.sql("UPDATE relay_progress SET system_id = '1', timeline = 77")
    relay(source="poll")
    until(lambda: rows.arrived() == 100, 60, "all came again, in order")
