"""Fixtures of the schema's tests."""

import pytest


@pytest.fixture
def connect(cell, database):
    """connect(role) opens one to the test's own database."""
    made = []

    def make(role="operator"):
        made.append(cell.connect(role, database))
        return made[-1]
    yield make
    for connection in made:
        connection.close()
