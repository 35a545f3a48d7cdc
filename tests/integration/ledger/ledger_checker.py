"""The checker of `make run` (deploy/local/checker.py) over a test's books. It
shares nothing with the writer."""

import importlib.util

from harness.cell import LOCAL

SPEC = importlib.util.spec_from_file_location("checker", LOCAL / "checker.py")
checker = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(checker)


def faults_of(db):
    """Of the books alone: the events are as if all of them had been read from
    their topic."""
    faults = checker.Faults()
    events = checker.rows(
        db, "SELECT id FROM outbox WHERE aggregatetype = 'stock'")
    records = [{"headers": ["id", str(id_)]} for (id_,) in events]
    checker.check_events(db, records, faults)
    checker.check_books(db, faults)
    return [text for texts in faults.examples.values() for text in texts]
