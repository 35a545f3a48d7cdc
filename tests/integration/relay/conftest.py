"""The relay's fixtures; the rows and records of a test are in harness/relay_rows.py."""

import pytest

from harness.relay_rows import Cell


@pytest.fixture
def relay_cell(cell, kafka, database, db):
    made = Cell(cell, kafka, database, db)
    made.topics()
    return made


@pytest.fixture
def relay(relay_cell, daemons):
    """relay(**flags) starts one on this test's database."""
    def start(wait_ready=True, env=None, **flags):
        return daemons("outbox-relay", wait_ready=wait_ready, env=env,
                       **relay_cell.flags(**flags))
    return start
