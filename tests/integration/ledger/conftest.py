"""Fixtures of the ledger's integration tests."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness.pg_server import Server  # noqa: E402
from ledger_kit import Ledger  # noqa: E402


@pytest.fixture
def ledger(cell, kafka, db, database, daemons):
    return Ledger(cell, kafka, db, database, daemons)


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
