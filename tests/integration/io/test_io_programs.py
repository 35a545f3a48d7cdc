"""common/io against real servers: check programs (it_*.c), run with the cell's
addresses. Their own output names the test that failed."""

import os
import subprocess

import pytest

from harness.cell import OUT

PROGRAMS = OUT / "tests" / "integration" / "io"


@pytest.mark.parametrize("name", ["it_pg", "it_kafka"])
def test_io_against_real_servers(cell, database, name):
    run = subprocess.run(
        [str(PROGRAMS / name)], text=True, timeout=900,
        env={**os.environ, "BOOTSTRAP": cell.bootstrap,
             "DATABASE_URL": cell.url("owner", database)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert run.returncode == 0, run.stdout[-6000:]
    assert "100%: Checks:" in run.stdout
