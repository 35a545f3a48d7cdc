"""PostgreSQL refuses, dies, is read-only or full: the writer tries again whole,
waits and says so, and parks nothing."""

import os
import random
import time

import ledger_oracle
import psycopg2
import pytest
from harness.pg_server import Server
from harness.small_disk import Disk
from harness.wait import until
from ledger_families import TABLES, Families
from ledger_feeding import Feeding
from ledger_kit import Ledger, command, transfer
from ledger_rigged import proxied

SEED = int(os.environ.get("SEED") or random.randrange(1 << 32))


def prepare(ledger):
    """Books for every family; how many records that took."""
    print(f"SEED={SEED}")
    load, total = Families(SEED), 0
    for step in load.setup():
        ledger.send(*step)
        total += len(step)
        ledger.wait_consumed(total)
    ledger.rows("SELECT set_rate_rule('reserve', NULL, 'actor', "
                "'{stock.reserve}', 40, '2 seconds', 1, 'test', 'a test')")
    return load, total


def judge(ledger, path):
    assert ledger.rows("SELECT * FROM rejected WHERE error_class = 'poison'"
                       ) == []
    ledger_oracle.assert_equal(ledger, path)
    ledger.check_books()


# ---- deadlock and serialisation

class Refusals:
    """Rows that PostgreSQL refuses as it does what lost against somebody else:
    those that pass a trigger as the n-th, each once, in whatever transaction.
    (A sequence counts: it does not roll back.)"""

    CODES = ("40001", "40P01")

    def __init__(self, ledger, rng):
        self.ledger, self.rng = ledger, rng
        self.due = {}  # of each trigger, how many

    def add(self, table, event, nth, when=""):
        name = f"refuse_{table}_{len(self.due)}"
        self.due[name] = len(nth)
        self.ledger.db.cursor().execute(f"""
            CREATE SEQUENCE {name}_seen; CREATE SEQUENCE {name};
            CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql
                SECURITY DEFINER SET search_path = ch AS $$ BEGIN
                IF nextval('{name}_seen') = ANY (ARRAY{nth}) THEN
                    PERFORM nextval('{name}');
                    RAISE EXCEPTION 'injected' USING ERRCODE =
                        '{self.rng.choice(self.CODES)}';
                END IF;
                RETURN NEW; END $$;
            CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW
                {when} EXECUTE FUNCTION {name}()""")

    def counts(self):
        return {name: self.ledger.value(
            f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END "
            f"FROM {name}") for name in self.due}


def test_deadlocks_and_serialisation_failures_are_retried_whole(
        ledger, tmp_path):
    """At the fence, in each table's rows, at the close: 40 wherever it can
    come, with rows before it that were taken already."""
    writer = ledger.writer()
    load, total = prepare(ledger)
    refusals = Refusals(ledger, load.rng)

    def some(count, of):
        return load.rng.sample(range(1, of), count)
    for table in ("balances", "stock", "holds", "reservations"):
        refusals.add(table, "UPDATE", some(2, 8))
    for column in ("next_offset", "next_log_seq"):  # the fence, the close
        refusals.add("consumer_partitions", "UPDATE", some(4, 20),
                     f"WHEN (NEW.{column} > OLD.{column})")
    for table in TABLES:
        refusals.add(table, "INSERT", some(1, 49))
        records = load.rows_of(table)
        ledger.send(*records, partition=load.rng.randrange(4))
        ledger.send(*load.records(40))
        total += len(records) + 40
        ledger.wait_consumed(total)
    judge(ledger, tmp_path)
    counts = refusals.counts()
    assert counts == refusals.due
    # a sweep may have met some of them, and is retried as well
    writer.wait_metric(sum(counts.values()), "ledger_retries_total",
                       reason="transient")


def test_a_real_deadlock_is_resolved_and_the_batch_applied(ledger, cell,
                                                           database):
    """The other session holds the second row that the batch needs and asks for
    the first; PostgreSQL chooses the writer."""
    writer = ledger.writer()
    ledger.open_books()
    other = cell.connect("superuser", database)
    other.autocommit = False
    watcher = cell.connect("superuser", database)

    def lock(cur, name):
        cur.execute("SELECT 1 FROM balances JOIN accounts USING (org_id, "
                    "account_id) WHERE name = %s FOR UPDATE OF balances",
                    (name,))

    def waits():
        with watcher.cursor() as cur:
            cur.execute("SELECT count(*) FROM pg_stat_activity WHERE usename "
                        "= 'ch_writer' AND datname = %s AND "
                        "wait_event_type = 'Lock'", (database,))
            return cur.fetchone()[0]

    def deadlocks():
        return writer.logged().count("sqlstate=40P01")
    # both lock by number: whoever begins at the other end meets the writer
    first, second = [row[0] for row in ledger.rows(
        "SELECT name FROM accounts WHERE name IN ('house', 'a') "
        "ORDER BY account_id")]
    turns = 0
    while deadlocks() == 0:
        turns += 1
        assert turns < 20, writer.logged()[-2000:]
        cur = other.cursor()
        cur.execute("SET LOCAL deadlock_timeout = '1min'")
        lock(cur, second)
        cmd = transfer("house", "a", "1.00")
        ledger.send(cmd)
        until(waits, 60, "the writer holds one row and waits for the other",
              every=0.01)
        lock(cur, first)
        other.rollback()
        ledger.answer(cmd)
    other.close()
    watcher.close()
    assert ledger.value("SELECT count(*) FROM rejected") == 0
    assert writer.metric("ledger_retries_total", reason="transient") >= 1
    ledger.check_books()


# ---- servers of the test's own

def line_of(writer, name):
    """A line of /readyz?verbose."""
    text = writer.get("/readyz?verbose")[1]
    return next((row for row in text.splitlines() if f"]{name}" in row), "")


def rebalances(writer):
    return writer.logged().count("event=kafka.rebalance")


@pytest.fixture
def disk():
    made = Disk(96)
    Server.own(made.path)
    yield made
    made.release()


def test_a_standby_at_the_primarys_address_is_left_until_a_primary_is_there(
        ledger, cell, server_of, tmp_path):
    """First the standby is an error of the routing; then it is promoted, and
    the address is right. And a primary that was made read-only under the
    writer's session is left as well."""
    proxy, flags = proxied(ledger, tmp_path)
    primary = proxy.target
    writer = ledger.writer(**flags)
    load, total = prepare(ledger)
    joined = rebalances(writer)
    standby = server_of(cell, standby=True)
    feeding = Feeding(ledger, load, total, 60, 0.02)
    until(lambda: ledger.consumed() > total + 200, 60, "progress")

    def elsewhere(target):
        proxy.target = target
        proxy.cut()
    elsewhere(("127.0.0.1", standby.port))
    until(lambda: "read-only" in line_of(writer, "postgres"), 60, "readyz")
    assert "[-]postgres" in line_of(writer, "postgres")
    assert writer.get("/readyz")[0] == 503
    until(lambda: writer.logged().count("event=postgres.down") > 2, 60,
          "it tries again")
    before = ledger.consumed()
    elsewhere(primary)
    until(lambda: ledger.consumed() > before + 200, 60, "progress again")
    superuser = cell.connect("superuser", ledger.database)
    try:
        superuser.cursor().execute(
            "ALTER SYSTEM SET default_transaction_read_only = on")
        superuser.cursor().execute("SELECT pg_reload_conf()")
        until(lambda: writer.metric("ledger_retries_total",
                                    reason="read_only"), 60, "25006")
        until(lambda: "[-]postgres" in line_of(writer, "postgres"), 60, "it "
              "left")
    finally:
        with superuser.cursor() as cur:
            cur.execute("SET default_transaction_read_only = off")
            cur.execute("ALTER SYSTEM RESET default_transaction_read_only")
            cur.execute("SELECT pg_reload_conf()")
    before = ledger.consumed()
    until(lambda: ledger.consumed() > before + 200, 60, "progress again")
    # a failover that loses nothing: the standby has all of it
    elsewhere(("127.0.0.1", standby.port))
    until(lambda: "[-]postgres" in line_of(writer, "postgres"), 60, "readyz")
    # what is committed is flushed; what is only inserted need not come
    at = ledger.value("SELECT pg_current_wal_flush_lsn()::text")
    ledger.db = standby.connect("owner", ledger.database)
    until(lambda: ledger.value("SELECT pg_last_wal_replay_lsn() >= %s", at),
          60, "the standby has it all")
    standby.promote()
    total = feeding.finish()
    ledger.wait_consumed(total, 90)
    judge(ledger, tmp_path)
    assert rebalances(writer) == joined, "Kafka has not noticed any of it"
    proxy.close()


def kafka_is_kept(writer, joined):
    """For longer than the session: the group has not missed the writer."""
    begun = time.monotonic()
    until(lambda: time.monotonic() - begun > 7, 30, "more than a session")
    assert rebalances(writer) == joined
    until(lambda: writer.metric("ledger_partitions_owned") == 4 or (
        "[-]postgres" in line_of(writer, "postgres")), 60, "they are kept")


def test_a_full_disk_is_waited_for_and_named(cell, kafka, daemons, disk,
                                             server_of, tmp_path):
    """The tables' disk: 53100 wherever a file must grow."""
    server = server_of(cell, env=disk.env())
    space = disk.folder("space")
    server.own(space)
    server.connect("superuser", "postgres").cursor().execute(
        f"CREATE TABLESPACE small LOCATION '{space}'")
    ledger = Ledger.on(server, kafka, daemons, tablespace="small")
    writer = ledger.writer(trades_topics="", fills_topics="")
    load, total = prepare(ledger)
    joined = rebalances(writer)
    feeding = Feeding(ledger, load, total, 60, 0.02)
    until(lambda: ledger.consumed() > total + 200, 60, "progress")
    disk.fill()
    until(lambda: "No space left" in line_of(writer, "batches"), 60, "readyz")
    assert writer.get("/readyz")[0] == 503
    assert "sqlstate=53100" in writer.logged()
    stuck = ledger.consumed()
    kafka_is_kept(writer, joined)
    assert ledger.consumed() == stuck
    disk.make_room()
    until(lambda: ledger.consumed() > stuck + 200, 60, "progress again")
    total = feeding.finish()
    ledger.wait_consumed(total, 90)
    writer.wait_ready()
    assert rebalances(writer) == joined
    judge(ledger, tmp_path)


def test_a_full_disk_of_the_wal_is_an_outage_and_no_loss(
        cell, kafka, daemons, disk, server_of, tmp_path):
    """PostgreSQL panics and does not start again before there is room."""
    server = server_of(cell, waldir=disk.path / "wal", env=disk.env())
    ledger = Ledger.on(server, kafka, daemons)
    writer = ledger.writer(trades_topics="", fills_topics="")
    load, total = prepare(ledger)
    joined = rebalances(writer)
    feeding = Feeding(ledger, load, total, 60, 0.02)
    until(lambda: ledger.consumed() > total + 200, 60, "progress")
    disk.fill()
    admin = server.connect("superuser", "postgres")

    def down():
        try:
            admin.cursor().execute("SELECT pg_switch_wal()")
        except psycopg2.Error:
            pass
        return not server.running()
    until(down, 60, "it has panicked and ended")
    assert "PANIC" in server.logged()
    until(lambda: "[-]postgres" in line_of(writer, "postgres"), 60, "readyz")
    kafka_is_kept(writer, joined)
    disk.make_room()
    server.start()
    ledger.db = server.connect("owner", ledger.database)
    total = feeding.finish()
    ledger.wait_consumed(total, 90)
    writer.wait_ready()
    assert rebalances(writer) == joined
    judge(ledger, tmp_path)


# ---- a failover

def test_numbers_drawn_before_a_failover_are_not_used_after_it(ledger):
    """A promoted standby may not have heard of what the old primary's
    sequences gave away last, and gives it away again: what a writer drew of
    another server is void."""
    ledger.writer()
    ledger.open_books()
    ledger.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE usename = 'ch_writer' AND datname = current_database()")
    # numbers of this server and of no other
    ledger.rows("SELECT setval('account_seq', 1000000)")
    accounts = [command("account.open", account=f"late:{i}", asset="USD")
                for i in range(3)]
    ledger.send(*accounts)
    for cmd in accounts:
        assert ledger.answer(cmd)["status"] == "applied"
    assert ledger.value("SELECT min(account_id) > 1000000 FROM accounts "
                        "WHERE starts_with(name, 'late:')")
    ledger.check_books()
