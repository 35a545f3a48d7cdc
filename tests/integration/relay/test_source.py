"""Where rows come from when the WAL cannot be read, with source=auto: by
polling, said once with the cause and the remedy."""

import pathlib
import tempfile
import uuid

import psycopg2
import pytest
from psycopg2.extras import LogicalReplicationConnection

from harness.cell import Cell
from harness.wait import until
from harness.relay_rows import Cell as RelayCell


class PlainRole:
    """ch_relay's rights, without its REPLICATION."""

    def __init__(self, cell, database):
        self.name = f"plain{uuid.uuid4().hex[:8]}"
        self.db = cell.connect("superuser", database)
        self.do("CREATE ROLE {} LOGIN BYPASSRLS IN ROLE ch_relay")
        self.do("GRANT CONNECT ON DATABASE {db} TO {}", database)
        self.url = cell.url("superuser", database).replace(
            "//postgres@", f"//{self.name}@")

    def do(self, sql, database=""):
        with self.db.cursor() as cur:
            cur.execute(sql.format(self.name, db=database))

    def drop(self):
        self.do("DROP OWNED BY {}")
        self.do("DROP ROLE {}")
        self.db.close()


@pytest.fixture
def plain(cell, database, daemons):
    # made after `daemons`, dropped before: its connections may still be there
    role = PlainRole(cell, database)
    yield role
    role.drop()


def warned(daemon):
    return [x for x in daemon.logged().splitlines() if " relay.polling " in x
            or "event=relay.polling" in x]


def test_a_role_without_replication_polls(relay_cell, relay, plain):
    cell = relay_cell
    cell.load(100)
    daemon = relay(database_url=plain.url)
    cell.load(500)
    assert cell.arrived(60) == 0
    daemon.wait_metric(1, "relay_polling")
    lines = warned(daemon)
    assert len(lines) == 1, lines
    assert f"role {plain.name} may not read the WAL" in lines[0]
    assert "REPLICATION" in lines[0]
    assert "relay.stream_lost" not in daemon.logged()
    assert daemon.stop() == 0

    # the remedy: what was polled does not come again
    plain.do("ALTER ROLE {} REPLICATION")
    cell.load(100)
    daemon = relay(database_url=plain.url)
    cell.load(100)
    assert cell.arrived(60) == 0
    until(lambda: daemon.metric("relay_streams_total") >= 1, 60, "tailing")
    daemon.wait_metric(0, "relay_polling")
    assert daemon.stop() == 0

    # and taken back: by polling from where the WAL has come to
    plain.do("ALTER ROLE {} NOREPLICATION")
    cell.load(100)
    daemon = relay(database_url=plain.url)
    assert cell.arrived(60) == 0
    daemon.wait_metric(1, "relay_polling")


def test_source_wal_does_not_poll(relay_cell, relay, plain):
    cell = relay_cell
    daemon = relay(database_url=plain.url, source="wal", wait_ready=False)
    cell.load(10)
    until(lambda: "may not read the WAL" in daemon.get("/readyz?verbose")[1],
          60, "the cause on /readyz")
    assert daemon.get("/readyz")[0] == 503
    assert daemon.metric("relay_polling") == 0
    assert warned(daemon) == []


@pytest.fixture
def no_walsender(cell, database):
    """Every walsender that the server has is taken; one of an earlier test
    may end only now."""
    taken = []
    with cell.connect("superuser", database) as db, db.cursor() as cur:
        cur.execute("SHOW max_wal_senders")
        most = int(cur.fetchone()[0])

    def all_are_ours():
        try:
            taken.append(psycopg2.connect(
                cell.url("superuser", database),
                connection_factory=LogicalReplicationConnection))
        except psycopg2.OperationalError as refused:
            assert "max_wal_senders" in str(refused)
        return len(taken) == most
    until(all_are_ours, 60, f"{most} walsenders")
    yield
    for connection in taken:
        connection.close()


def test_a_walsender_refused_for_another_cause_polls(relay_cell, relay,
                                                     no_walsender):
    """SQL answers, the second connection is refused: as behind a pooler."""
    cell = relay_cell
    daemon = relay()
    cell.load(100)
    assert cell.arrived(60) == 0
    daemon.wait_metric(1, "relay_polling")
    lines = warned(daemon)
    assert len(lines) == 1 and "exceeds max_wal_senders" in lines[0]


@pytest.fixture
def replica_cell(cell, kafka):
    """A PostgreSQL of its own with wal_level=replica, and rows for it."""
    own = Cell()
    own.kept, own.state = False, pathlib.Path(
        tempfile.mkdtemp(prefix="ch-replica-"))
    own.state.chmod(0o755)
    db = None
    try:
        own.script("postgres.sh", "start")
        own.read_env()
        admin = own.connect("superuser", "postgres")
        with admin.cursor() as cur:
            cur.execute("ALTER SYSTEM SET wal_level = replica")
        admin.close()
        own.script("postgres.sh", "stop")
        own.script("postgres.sh", "start")
        own.script("migrate.sh")
        db = own.connect()
        made = RelayCell(own, kafka, "countinghouse", db)
        made.topics()
        yield made
    finally:
        if db is not None:
            db.close()
        own.stop()


def test_wal_level_replica_polls(replica_cell, daemons):
    cell = replica_cell
    cell.load(100)
    daemon = daemons("outbox-relay", **cell.flags())
    cell.load(300)
    assert cell.arrived(60) == 0
    daemon.wait_metric(1, "relay_polling")
    lines = warned(daemon)
    assert len(lines) == 1 and "wal_level is replica" in lines[0]
    assert "ALTER SYSTEM SET wal_level = logical" in lines[0]
    assert daemon.stop() == 0
    daemon = daemons("outbox-relay", wait_ready=False, source="wal",
                     **cell.flags())
    until(lambda: "wal_level is replica" in daemon.get("/readyz?verbose")[1],
          60, "the cause on /readyz")
