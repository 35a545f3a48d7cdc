"""Fixtures of `make compat`: a database that knows nothing of the ledger, one
Kafka Connect, and a pair of relays (the real Debezium, ours) on one table."""

import os
import pathlib
import sys
import uuid

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness.alone import Alone  # noqa: E402
from harness.connect import Connect  # noqa: E402
from pair import Pair  # noqa: E402

SEED = int(os.environ.get("SEED") or uuid.uuid4().int % 10 ** 9)


def pytest_report_header():
    return f"SEED={SEED}"


@pytest.fixture(scope="session")
def seed():
    return SEED


@pytest.fixture(scope="session")
def connect(cell):
    worker = Connect(cell.bootstrap)
    try:
        yield worker.start()
    finally:
        worker.stop()


@pytest.fixture(scope="session")
def alone(cell):
    made = Alone(cell)
    yield made
    cell.drop_database(made.name)


@pytest.fixture
def pair(alone, kafka, connect, daemons):
    made = Pair(alone, kafka, connect, daemons)
    yield made
    made.close()


@pytest.fixture(scope="session")
def own_types(alone):
    """Without a domain over an enum: with one Debezium does not start."""
    with alone.connect() as db, db.cursor() as cur:
        cur.execute(
            "CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('ha ppy', "
            "'sad', 'Order'); CREATE DOMAIN word AS varchar(20) CHECK (VALUE <> "
            "'x'); CREATE DOMAIN word_of_word AS word; CREATE DOMAIN any_case "
            "AS citext; CREATE DOMAIN tree AS jsonb; CREATE DOMAIN counted AS "
            "int4; CREATE DOMAIN at_ms AS timestamp(3)")
