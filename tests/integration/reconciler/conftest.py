"""Fixtures of the reconciler's tests."""

import pytest

from reconciler_books import Books


@pytest.fixture
def books(db):
    return Books(db)


@pytest.fixture
def connect(cell, database):
    """More connections to the test's database."""
    made = []

    def make(role="owner"):
        made.append(cell.connect(role, database))
        return made[-1]
    yield make
    for connection in made:
        connection.close()


@pytest.fixture
def reconciler(cell, database, daemons):
    """reconciler(**flags) starts one on the test's database. A statement of
    its may be slow on a busy machine: that is no failure here."""
    def start(**flags):
        given = {"interval": "100ms", "fold_every": "200ms",
                 "full_every": "1h", "statement_timeout": "30s", **flags}
        return daemons("reconciler",
                       database_url=cell.url("reconciler", database), **given)
    return start
