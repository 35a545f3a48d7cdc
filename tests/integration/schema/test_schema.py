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


# as each batch takes it
TAKE_PAUSE_LOCK = (ROOT / "services/ledger-writer/sql/take_pause_lock.sql"
                   ).read_text()


def hold_pause_lock(writer):
    with writer.cursor() as cur:
        cur.execute(TAKE_PAUSE_LOCK)
        cur.execute("SELECT pg_backend_pid()")
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
                        "relation = 'pause_lock'::regclass")
            return cur.fetchone()[0]
    until(waits, 60, "the pause waits", every=0.01)
    writer.commit()
    pausing.join(60)
    with db.cursor() as cur:
        cur.execute("SELECT action FROM audit_events ORDER BY event_id")
        assert cur.fetchall() == [("pause",)]


def test_no_login_but_a_writers_holds_batches_up(writer, operator, cell,
                                                 database):
    other = cell.connect("cache", database)
    with other.cursor() as cur:
        # what the lock was, which was anybody's to take
        cur.execute("SELECT pg_advisory_lock(17224, 1), pg_advisory_lock("
                    "17224, hashtext(partition_name('outbox', current_date + "
                    "2)))")
    for role in ("cache", "reader", "relay", "reconciler", "operator",
                 "writer"):
        db = cell.connect(role, database)
        db.autocommit = False
        for mode in ("ROW EXCLUSIVE", "SHARE", "EXCLUSIVE",
                     "ACCESS EXCLUSIVE")[role == "writer":]:
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                db.cursor().execute(f"LOCK TABLE ch.pause_lock IN {mode} MODE")
            db.rollback()
        db.close()
    with writer.cursor() as cur:
        cur.execute("SET lock_timeout = '10s'")
        cur.execute(TAKE_PAUSE_LOCK)
        cur.execute("SELECT ensure_partition('outbox', current_date + 2)")
        writer.commit()
    with operator.cursor() as cur:
        cur.execute("SELECT ch.pause('trading', NULL, 'test', 'me')")
    other.close()


def test_a_pause_that_is_left_open_ends_by_itself(writer, operator, db):
    with operator.cursor() as cur:
        cur.execute("BEGIN; SELECT ch.pause('trading', NULL, 'test', 'me')")
    with writer.cursor() as cur:
        cur.execute("SET lock_timeout = '60s'")
        cur.execute(TAKE_PAUSE_LOCK)
        cur.execute("SELECT scope FROM pauses")
        assert cur.fetchall() == []
    with pytest.raises(psycopg2.OperationalError):
        operator.cursor().execute("COMMIT")


def test_who_holds_the_pause_lock_is_named(cell, database, operator, db):
    superuser = cell.connect("superuser", database)
    superuser.autocommit = False
    superuser.cursor().execute("LOCK TABLE ch.pause_lock IN ROW EXCLUSIVE "
                               "MODE")
    holder = f"pid {superuser.info.backend_pid} postgres"
    with operator.cursor() as cur:
        # the owner may not end a superuser
        with pytest.raises(psycopg2.errors.LockNotAvailable, match=holder):
            cur.execute("SELECT ch.pause('trading', NULL, 'test', 'me', "
                        "wait_ms => 2500)")

    def told():
        with operator.cursor() as cur:
            cur.execute("SELECT subject, mend FROM ch.health() WHERE name = "
                        "'pause_lock_seconds' AND NOT ok")
            return cur.fetchone()
    subject, mend = until(told, 60, "health names it")
    assert holder in subject and "ch.pause()" in mend
    superuser.rollback()
    superuser.close()
    assert told() is None


def test_the_reconciler_pauses_and_takes_nothing_back(cell, database,
                                                      operator, db):
    reconciler = cell.connect("reconciler", database)
    with operator.cursor() as cur:
        cur.execute("SELECT ch.pause('acme', '{account.close}', 'test', 'me', "
                    "'1 day', unknown_org => true)")
    for wrong in (
            "SELECT resume('acme', 'r', 'a', 'o')",
            "SELECT pause('acme', '{account.close}', 'r', 'a')",
            "INSERT INTO audit_events (actor, action, subject, reason) "
            "VALUES ('me', 'resume', 'acme', 'r')",
            "INSERT INTO outbox (seq, id, aggregatetype, aggregateid, type, "
            "payload, created_at) VALUES (1, gen_random_uuid(), "
            "'fleet.control', 'acme', 'resume', '{}', now())"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            reconciler.cursor().execute(wrong)
    with reconciler.cursor() as cur:
        cur.execute("SELECT pause_more('acme', 'a break', 'reconciler')")
        cur.execute("SELECT pause_more('zorg', 'a break', 'reconciler')")
    reconciler.close()
    with db.cursor() as cur:
        cur.execute("SELECT scope, types @> '{account.close}', types @> "
                    "pause_default_types(), cooldown_until > now() + interval "
                    "'23 hours' FROM pauses ORDER BY scope")
        assert cur.fetchall() == [("acme", True, True, True),
                                  ("zorg", False, True, False)]
        cur.execute("SELECT actor, db_role, action FROM audit_events ORDER BY "
                    "event_id")
        assert cur.fetchall() == [
            ("me", "ch_operator", "pause"),
            ("reconciler", "ch_reconciler", "pause"),
            ("reconciler", "ch_reconciler", "pause")]


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
