"""Fixtures of the pytest suites. See tests/harness."""

import pathlib
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness.cell import Cell  # noqa: E402
from harness.daemon import Daemon  # noqa: E402
from harness.kafka import Kafka  # noqa: E402
from harness.pg_server import Server  # noqa: E402
from harness.wait import until  # noqa: E402

DAY = 86400


@pytest.fixture(autouse=True)
def midnight_is_far():
    """Many tests ask for the day, which is UTC's: none begins just before
    another one does."""
    until(lambda: time.time() % DAY < DAY - 120, 180, "midnight is over",
          every=1)


@pytest.fixture(scope="session")
def cell():
    """One Kafka and one PostgreSQL for the whole run."""
    running = Cell()
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="session")
def kafka(cell):
    return Kafka(cell.bootstrap)


@pytest.fixture
def database(cell):
    """The name of a fresh, migrated database of this test's own."""
    name = cell.fresh_database()
    yield name
    cell.drop_database(name)


@pytest.fixture
def db(cell, database):
    """A connection as the owner to the test's database, autocommit."""
    connection = cell.connect("owner", database)
    yield connection
    connection.close()


@pytest.fixture
def server_of():
    """server_of(cell, ...) starts a copy of its server that ends with the
    test."""
    made = []

    def start(cell, **how):
        made.append(Server(cell, **how))
        return made[-1].start()
    yield start
    for server in made:
        server.stop()


@pytest.fixture
def daemons():
    """daemons(name, **flags) starts a daemon that ends with the test."""
    started = []

    def start(name, **flags):
        started.append(Daemon(name, **flags))
        return started[-1]
    yield start
    for daemon in reversed(started):
        daemon.kill()
    for daemon in started:
        daemon.assert_no_fault_of_ours()
