"""The schema by itself, without any daemon: what the roles may do, what
pause() and resume() do to a writer that stopped, and that every change can be
undone and done again."""

import os
import subprocess
import threading

import psycopg2
import pytest

from harness.cell import LOCAL, ROOT
from harness.wait import until


@pytest.fixture
def writer(cell, database):
    """A connection as the writer's role, not in autocommit."""
    db = psycopg2.connect(cell.url("writer", database),
                          options="-c search_path=ch")
    yield db
    db.close()


@pytest.fixture
def operator(cell, database):
    db = cell.connect("operator", database)
    yield db
    db.close()


def hold_pause_lock(writer):
    with writer.cursor() as cur:
        cur.execute("SELECT pg_backend_pid(), pg_advisory_xact_lock_shared("
                    "pause_lock_class(), pause_lock_object())")
        return cur.fetchone()[0]


def test_pause_ends_a_writer_that_holds_the_lock_and_records_it(
        writer, operator, db):
    pid = hold_pause_lock(writer)
    with operator.cursor() as cur:
        # without that it would give up after wait_ms
        cur.execute("SELECT ch.pause('trading', NULL, 'test', 'me')")
        cur.execute("SELECT types @> ARRAY['transfer.post'] FROM pauses "
                    "WHERE scope = 'trading'")
        assert cur.fetchone() == (True,)
    with db.cursor() as cur:
        cur.execute("SELECT actor, subject FROM audit_events "
                    "WHERE action = 'terminate_backend'")
        assert cur.fetchall() == [("me", str(pid))]
    with pytest.raises(psycopg2.OperationalError):
        writer.cursor().execute("SELECT 1")


def test_pause_waits_for_a_batch_that_ends_in_time(writer, operator, db):
    hold_pause_lock(writer)
    pausing = threading.Thread(target=operator.cursor().execute, args=(
        "SELECT ch.pause('acme', NULL, 'test', 'me', unknown_org => true)",))
    pausing.start()

    def waits():
        with db.cursor() as cur:
            cur.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND "
                        "locktype = 'advisory' AND database = (SELECT oid FROM"
                        " pg_database WHERE datname = current_database())")
            return cur.fetchone()[0]
    until(waits, 60, "the pause waits", every=0.01)
    writer.commit()
    pausing.join(60)
    with db.cursor() as cur:
        cur.execute("SELECT action FROM audit_events ORDER BY event_id")
        assert cur.fetchall() == [("pause",)]


def test_resume_needs_a_reason_and_its_cooldown_or_an_override(operator):
    with operator.cursor() as cur:
        cur.execute("SELECT ch.pause('acme', NULL, 'test', 'me', "
                    "unknown_org => true)")
        for arguments in ("'acme', '', 'me'", "'acme', 'done', 'me'",
                          "'nobody', 'done', 'me'"):
            with pytest.raises(psycopg2.Error):
                cur.execute(f"SELECT ch.resume({arguments})")
        cur.execute("SELECT ch.resume('acme', 'done', 'me', "
                    "override => 'it was a drill')")
        cur.execute("SELECT action, after ->> 'override' FROM audit_events "
                    "ORDER BY event_id")
        assert cur.fetchall() == [("pause", None),
                                  ("resume", "it was a drill")]
        cur.execute("SELECT type FROM outbox WHERE aggregatetype = "
                    "'fleet.control' ORDER BY seq")
        assert cur.fetchall() == [("pause",), ("resume",)]


@pytest.mark.parametrize("statement", [
    "UPDATE postings SET amount = 1", "DELETE FROM postings",
    "UPDATE command_log SET status = 'x'", "DELETE FROM command_log",
    "DELETE FROM balances", "DELETE FROM answers", "DELETE FROM rejected",
    "TRUNCATE outbox", "INSERT INTO pauses VALUES ('x', '{}', 'r', 'a', 1, "
    "now(), now())", "SELECT ch.pause('trading', NULL, 'r', 'a')"])
def test_the_writer_may_not(writer, statement):
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        writer.cursor().execute(statement)


@pytest.mark.parametrize("statement", [
    "UPDATE audit_events SET reason = 'x'", "DELETE FROM audit_events",
    "TRUNCATE audit_events"])
def test_nobody_changes_the_audit_trail_its_owner_included(db, statement):
    with db.cursor() as cur:
        cur.execute("INSERT INTO audit_events (actor, action, subject, reason)"
                    " VALUES ('a', 'b', 'c', 'd')")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cur.execute(statement)


def test_a_partition_is_made_once_and_never_for_a_day_that_was_dropped(db):
    with db.cursor() as cur:
        cur.execute("SELECT ensure_partition('outbox', current_date + 2), "
                    "ensure_partition('outbox', current_date + 2)")
        assert cur.fetchone() == (True, False)
        for day in ("current_date - 2", "current_date + 3"):
            with pytest.raises(psycopg2.Error):
                cur.execute(f"SELECT ensure_partition('outbox', {day})")


def test_pause_works_when_no_partition_was_made_for_days(db, operator):
    with db.cursor() as cur:
        cur.execute("SELECT format('DROP TABLE %s', "
                    "'ch.' || partition_name('outbox', current_date))")
        cur.execute(cur.fetchone()[0])
    with operator.cursor() as cur:
        cur.execute("SELECT ch.pause('acme', NULL, 'test', 'me', "
                    "unknown_org => true)")


def migrate(cell, database, *verb):
    return subprocess.run(
        [str(LOCAL / "migrate.sh"), *verb], cwd=ROOT, text=True,
        env={**os.environ, "CH_STATE": str(cell.state),
             "DATABASE_URL": cell.url("owner", database)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def test_every_change_can_be_undone_and_done_again(cell, database):
    for verb in ("verify", "revert", "deploy", "verify"):
        run = migrate(cell, database, verb)
        assert run.returncode == 0, run.stdout


def test_a_writer_that_row_security_would_stop_is_refused_at_the_deploy(
        cell, database):
    superuser = psycopg2.connect(cell.url("superuser", database))
    superuser.autocommit = True
    cur = superuser.cursor()
    assert migrate(cell, database, "revert", "--to", "rates").returncode == 0
    try:
        cur.execute("ALTER ROLE ch_writer NOBYPASSRLS")
        run = migrate(cell, database, "deploy")
        assert run.returncode != 0
        assert "ALTER ROLE ch_writer BYPASSRLS" in run.stdout
        # nobody works as ch_writer: the owner does, whom no policy stops
        cur.execute("ALTER ROLE ch_writer NOLOGIN")
        run = migrate(cell, database, "deploy")
        assert run.returncode == 0, run.stdout
    finally:
        cur.execute("ALTER ROLE ch_writer LOGIN BYPASSRLS")
        superuser.close()
    owner = cell.connect("owner", database)
    with owner.cursor() as cur:
        cur.execute("SELECT row_security_active('ch.postings')")
        assert cur.fetchone() == (False,)
    owner.close()
