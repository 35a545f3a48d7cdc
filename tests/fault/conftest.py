"""The kill test borrows the ledger's random commands and its way through the
serial model (tests/integration/ledger), and the SQL over the books that the
checker of `make run` has (deploy/local)."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
for folder in (ROOT / "tests" / "fault",
               ROOT / "tests" / "integration" / "ledger",
               ROOT / "deploy" / "local"):
    sys.path.insert(0, str(folder))
