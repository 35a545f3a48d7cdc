"""A role that cannot write the books: the writer says so, once, and ends."""

import uuid

import pytest

from harness.wait import until


class Role:
    """A login that inherits what ch_writer may, and what its attributes say."""

    def __init__(self, cell, database):
        self.name = f"plain{uuid.uuid4().hex[:8]}"
        self.db = cell.connect("superuser", database)
        self.do(f"CREATE ROLE {self.name} LOGIN IN ROLE ch_writer")
        self.do(f"GRANT CONNECT ON DATABASE {database} TO {self.name}")
        self.url = cell.url("superuser", database).replace(
            "//postgres@", f"//{self.name}@")

    def do(self, sql):
        with self.db.cursor() as cur:
            cur.execute(sql)

    def drop(self):
        self.do(f"DROP OWNED BY {self.name}")
        self.do(f"DROP ROLE {self.name}")
        self.db.close()


@pytest.fixture
def role(cell, database, daemons):
    # made after `daemons`, dropped before: its connections may still be there
    made = Role(cell, database)
    yield made
    made.drop()


def refused(writer):
    """Its last word; there is one of them."""
    until(lambda: not writer.running(), 60, "the writer ends")
    assert writer.process.returncode == 78, writer.logged()[-2000:]
    said = [x for x in writer.logged().splitlines() if "level=error" in x
            or "daemon.failed" in x]
    assert len(said) == 1, said
    return said[0]


def test_a_role_that_row_security_holds_for(ledger, role):
    said = refused(ledger.writer(database_url=role.url, wait_ready=False))
    assert f"row-level security is on for role {role.name}" in said
    assert f"ALTER ROLE {role.name} BYPASSRLS" in said
    assert ledger.rows("SELECT 1 FROM consumer_partitions") == []
    role.do(f"ALTER ROLE {role.name} BYPASSRLS")
    ledger.writer(database_url=role.url)
    ledger.open_books()


def test_a_role_of_another_service_and_another_database(ledger, cell):
    said = refused(ledger.writer(
        database_url=cell.url("reader", ledger.database), wait_ready=False))
    assert "role ch_reader may not INSERT accounts" in said
    assert "connect as ch_writer" in said
    said = refused(ledger.writer(schema="elsewhere", wait_ready=False))
    assert "there is no table accounts in" in said and "elsewhere" in said
    assert "deploy schema/sql" in said


def test_the_owner_may(ledger, cell):
    ledger.writer(database_url=cell.url("owner", ledger.database))
    ledger.open_books()


def test_a_right_that_was_taken_is_noticed_on_the_next_connection(
        ledger, role):
    role.do(f"ALTER ROLE {role.name} BYPASSRLS")
    writer = ledger.writer(database_url=role.url)
    ledger.open_books()
    role.do(f"ALTER ROLE {role.name} NOBYPASSRLS")
    role.do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
            f"usename = '{role.name}'")
    assert "row-level security" in refused(writer)
