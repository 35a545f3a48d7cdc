"""Fixtures of the ledger's integration tests."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from ledger_kit import Ledger  # noqa: E402


@pytest.fixture
def ledger(cell, kafka, db, database, daemons):
    return Ledger(cell, kafka, db, database, daemons)
