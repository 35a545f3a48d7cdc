"""One active and its standby, lost connections, wrong configuration, the one
connection, and what the role may do."""

import contextlib
import signal
import subprocess

import psycopg2
import pytest

from harness.cell import OUT
from harness.wait import until
from reconciler_books import one, open_breaks


def sessions(db):
    return one(db, "SELECT count(*) FROM pg_stat_activity WHERE "
               "datname = current_database() AND usename = 'ch_reconciler'")


def says(daemon, text):
    """In its answer about its readiness."""
    until(lambda: text in daemon.get("/readyz?verbose")[1], 60, text)


def damage(books, account):
    books.sql("UPDATE balances SET balance = balance + 1 "
              "WHERE account_id = %s", (account,))


def test_a_standby_is_ready_and_takes_over(db, books, reconciler):
    a = books.account("a")
    first = reconciler()
    until(lambda: first.metric("reconciler_active") == 1, 60, "active")
    second = reconciler()
    says(second, "[+]standby ok")
    assert second.metric("reconciler_active") == 0
    until(lambda: sessions(db) == 2, 60, "one session each")
    first.kill()
    damage(books, a)
    until(lambda: open_breaks(db) == ["balances/acme/a"], 60, "taken over")
    second.wait_metric(1, "reconciler_active")
    until(lambda: one(db, "SELECT count(*) FROM pauses") == 1, 60, "paused")


def test_a_stopped_one_gives_way_and_does_not_write_when_it_wakes(
        db, books, reconciler):
    a = books.account("a")
    first = reconciler()
    until(lambda: first.metric("reconciler_active") == 1, 60, "active")
    second = reconciler()
    first.signal(signal.SIGSTOP)
    damage(books, a)
    # idle_session_timeout is ten intervals, but at least ten seconds
    until(lambda: open_breaks(db) == ["balances/acme/a"], 60, "taken over")
    until(lambda: one(db, "SELECT count(*) FROM pauses") == 1, 60, "paused")
    first.signal(signal.SIGCONT)
    says(first, "[+]standby ok")
    assert second.metric("reconciler_active") == 1
    assert one(db, "SELECT count(*) FROM pauses") == 1
    assert one(db, "SELECT count(*) FROM audit_events") == 1


def test_a_lost_connection_is_made_anew(db, books, reconciler):
    a = books.account("a")
    daemon = reconciler()
    db.cursor().execute("SELECT pg_terminate_backend(pid) FROM "
                        "pg_stat_activity WHERE usename = 'ch_reconciler' "
                        "AND datname = current_database()")
    damage(books, a)
    until(lambda: open_breaks(db) == ["balances/acme/a"], 60, "found")
    daemon.wait_ready()
    until(lambda: sessions(db) == 1, 60, "one session")
    assert daemon.stop() == 0


def test_a_check_that_never_gets_through_is_named_by_readiness(
        books, reconciler):
    """Nothing fails: the log is only longer than what is looked at."""
    daemon = reconciler(stale_after="1s")
    says(daemon, "[+]checks ok")
    books.sql("UPDATE consumer_partitions SET next_log_seq = 1::int8 << 60")
    says(daemon, "log_seq has not looked")
    says(daemon, "[-]checks")
    assert daemon.get("/readyz")[0] == 503
    assert daemon.metric("reconciler_failures_total", check="log_seq") == 0
    books.sql("UPDATE consumer_partitions SET next_log_seq = (SELECT verified "
              "+ 1 FROM reconcile_streams WHERE stream = %s)", (books.stream,))
    until(lambda: daemon.get("/readyz")[0] == 200, 60, "ready again")


def test_the_days_partition_of_the_outbox_may_be_missing(
        db, books, reconciler):
    a = books.account("a")
    reconciler()
    # nobody made today's partition: no writer runs
    books.sql("DO $$ BEGIN EXECUTE 'DROP TABLE ' || partition_name('outbox', "
              "(now() AT TIME ZONE 'UTC')::date); END $$")
    damage(books, a)
    until(lambda: open_breaks(db) == ["balances/acme/a"], 60, "found")
    assert one(db, "SELECT count(*) FROM outbox WHERE type = "
               "'break.opened'") == 1


def test_the_pause_waits_for_a_batch_and_is_made_all_the_same(
        db, connect, books, reconciler):
    """A batch in flight holds the pause lock shared; the pause comes after
    it, and the checks of the round before are not lost."""
    a, c = books.account("a"), books.account("house")
    writer = connect()
    writer.cursor().execute("BEGIN; LOCK TABLE pause_lock IN ROW EXCLUSIVE "
                            "MODE")
    reconciler()
    damage(books, a)
    until(lambda: open_breaks(db) == ["balances/acme/a"], 60, "found")
    pauses = one(db, "SELECT count(*) FROM pauses")
    held = one(db, "SELECT count(*) FROM pg_locks WHERE granted AND pid = %s "
               "AND relation = 'pause_lock'::regclass",
               (writer.info.backend_pid,))
    assert held == 0 or pauses == 0
    with contextlib.suppress(psycopg2.OperationalError):
        # pause() ends whoever holds it up for 2 s, on a slow machine this one
        writer.cursor().execute("COMMIT")
    until(lambda: one(db, "SELECT count(*) FROM pauses") == 1, 60, "paused")
    assert c > a


@pytest.mark.parametrize("flag, names", [
    ("--pause_balances=lots", "pause_balances"),
    ("--pause_log_seq=-1", "pause_log_seq"),
    ("--interval=1ms", "interval"),
    ("--no_such_key=1", "no_such_key"),
])
def test_a_wrong_configuration_exits_78_and_names_the_key(flag, names):
    run = subprocess.run([str(OUT / "bin" / "reconciler"), "--check-config",
                          "--database_url=dbname=x", flag],
                         stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, timeout=20)
    assert run.returncode == 78, run.stdout
    assert names in run.stdout


def test_the_role_can_neither_touch_the_books_nor_delete_a_break(
        connect, books):
    books.account("a")
    role = connect("reconciler")
    for statement in ("UPDATE balances SET balance = 0",
                      "INSERT INTO postings SELECT * FROM postings",
                      "UPDATE command_log SET status = 'x'",
                      "DELETE FROM breaks", "DELETE FROM pauses",
                      "DELETE FROM outbox", "UPDATE outbox SET payload = ''"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            role.cursor().execute(statement)
