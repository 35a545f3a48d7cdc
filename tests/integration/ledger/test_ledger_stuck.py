"""What keeps a writer from going on, and must never be taken for a fault of
the command: locks of a stopped writer, conflicts, a row that is gone, a Kafka
that is away. And whose topic a command came through."""

import json
import signal
import subprocess
import time

import psycopg2
import psycopg2.extras
from harness.cell import OUT
from harness.wait import until
from ledger_kit import command, transfer, v7

DAY_MS = 86400 * 1000


def backends(ledger):
    return ledger.value(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'ch_writer' "
        "AND datname = current_database()")


def execute(ledger, sql):
    with ledger.db.cursor() as cur:
        cur.execute(sql)


def test_a_stopped_writer_gives_its_locks_back_whatever_lock_timeout_is(
        ledger, cell, database):
    """Nobody claims its partitions: PostgreSQL alone ends its transaction."""
    first = ledger.writer(lock_timeout="60s")
    ledger.open_books()
    blocker = cell.connect("owner", database)
    blocker.autocommit = False
    blocker.cursor().execute("SELECT 1 FROM balances FOR UPDATE")
    ledger.send(transfer("house", "a", "1.00"))
    watcher = cell.connect("superuser", database)

    def waits():
        with watcher.cursor() as cur:
            cur.execute("SELECT count(*) FROM pg_stat_activity WHERE usename "
                        "= 'ch_writer' AND datname = current_database() AND "
                        "wait_event_type = 'Lock'")
            return cur.fetchone()[0]
    until(waits, 60, "the writer waits for the row")
    first.signal(signal.SIGSTOP)
    blocker.rollback()
    blocker.close()
    until(lambda: backends(ledger) == 0, 40, "its backend is ended")
    watcher.close()
    first.signal(signal.SIGCONT)
    ledger.wait_consumed(6)
    ledger.check_books()


def test_a_stopped_writer_that_is_being_answered_gives_its_locks_back(
        ledger, cell, database):
    """PostgreSQL cannot send on what nobody reads, and ends nothing itself."""
    writer = ledger.writer()
    ledger.open_books()
    stopped = psycopg2.connect(cell.url("writer", database), async_=True)
    psycopg2.extras.wait_select(stopped)
    stopped.cursor().execute(
        "BEGIN; SELECT FROM ch.balances FOR NO KEY UPDATE; "
        "SELECT repeat('x', 1000) FROM generate_series(1, 100000)")
    until(lambda: ledger.value(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'ch_writer' "
        "AND datname = current_database() AND wait_event = 'ClientWrite'")
        == 1, 60, "it is being answered")
    assert ledger.do(transfer("house", "a", "1.00"))["status"] == "applied"
    assert writer.metric("ledger_backends_ended_total") == 1
    stopped.close()
    ledger.check_books()


def test_a_lock_timeout_shorter_than_a_takeover_is_refused():
    run = subprocess.run(
        [str(OUT / "bin" / "ledger-writer"), "--check-config",
         "--bootstrap=127.0.0.1:1", "--database_url=postgresql://127.0.0.1/x",
         "--lock_timeout=1s"], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)
    assert run.returncode == 78, run.stdout
    assert "lock_timeout" in run.stdout


def test_a_conflict_that_lasts_is_waited_for_and_never_parked(ledger):
    writer = ledger.writer()
    ledger.open_books()
    execute(ledger, "CREATE UNIQUE INDEX surprise ON reservations (qty)")
    ledger.do(command("stock.reserve", sku="s", qty="7"))
    second = command("stock.reserve", sku="s", qty="7")
    ledger.send(second)
    until(lambda: writer.metric("ledger_retries_total", reason="conflict")
          > 24, 120, "retries for a conflict")
    until(lambda: "[-]batches" in writer.get("/readyz?verbose")[1], 60,
          "readyz")
    assert ledger.value("SELECT count(*) FROM rejected") == 0
    execute(ledger, "DROP INDEX surprise")
    assert ledger.answer(second)["status"] == "applied"
    assert ledger.value("SELECT count(*) FROM rejected") == 0
    ledger.check_books()


def test_a_record_that_nothing_convicts_holds_its_own_partition_up_only(
        ledger):
    """Before and behind it, and beside it, all is applied."""
    writer = ledger.writer()
    ledger.open_books()
    execute(ledger, "CREATE UNIQUE INDEX surprise ON reservations (qty)")
    ledger.do(command("stock.reserve", sku="s", qty="7"))
    before = [transfer("house", "a", "1.00") for _ in range(6)]
    bad = command("stock.reserve", sku="s", qty="7")
    behind = [transfer("house", "a", "1.00") for _ in range(5)]
    beside = [transfer("house", "b", "1.00") for _ in range(4)]
    start = ledger.value("SELECT coalesce(max(next_offset), 0) FROM "
                         "consumer_partitions WHERE topic = %s AND part = 1",
                         ledger.topic)
    ledger.at_once([writer], (1, [*before, bad, *behind]), (2, beside))
    for cmd in [*beside, *before]:
        assert ledger.answer(cmd, 120)["status"] == "applied"
    (alert,) = until(lambda: ledger.rows(
        "SELECT payload FROM outbox WHERE type = 'partition.waits'"), 120,
        "the alert")[0]
    alert = json.loads(alert)
    assert (alert["topic"], alert["partition"], alert["offset"]) == (
        ledger.topic, 1, start + len(before)), alert
    assert "surprise" in alert["reason"], alert
    until(lambda: "[-]batches" in writer.get("/readyz?verbose")[1], 60,
          "readyz")
    later = [transfer("house", "b", "1.00") for _ in range(4)]
    ledger.send(*later, partition=3)
    for cmd in later:
        assert ledger.answer(cmd, 60)["status"] == "applied"
    assert not any(ledger.answers_of(cmd["id"]) for cmd in [bad, *behind])
    execute(ledger, "DROP INDEX surprise")
    for cmd in [bad, *behind]:
        assert ledger.answer(cmd, 60)["status"] == "applied"
    writer.wait_ready()
    assert ledger.value("SELECT count(*) FROM rejected") == 0
    assert ledger.value("SELECT count(*) FROM outbox WHERE type = "
                        "'partition.waits'") == 1
    ledger.check_books()


def test_an_old_id_of_a_kept_day_is_known_again(ledger):
    """However long the operator keeps ids."""
    ledger.writer()
    ledger.open_books()
    execute(ledger, "UPDATE retention SET lowest_day = (now() AT TIME ZONE "
            "'UTC')::date - 1000 WHERE table_name = 'command_log'")
    old = transfer("house", "a", "1.00",
                   id_=v7(int(time.time() * 1000) - 700 * DAY_MS))
    assert ledger.do(old)["status"] == "applied"
    ledger.send(old)
    until(lambda: len(ledger.answers_of(old["id"])) == 2, 30, "two answers")
    assert ledger.answers_of(old["id"])[1]["duplicate"] is True
    assert ledger.value("SELECT count(*) FROM rejected") == 0
    assert ledger.value("SELECT count(*) FROM postings") == 2


def test_a_row_that_is_gone_is_named_and_waited_for_without_a_spin(ledger):
    writer = ledger.writer()
    ledger.open_books()
    execute(ledger, "CREATE TABLE saved AS SELECT b.* FROM balances b JOIN "
            "accounts a USING (org_id, account_id) WHERE a.name = 'a'; "
            "DELETE FROM balances WHERE account_id = "
            "(SELECT account_id FROM saved)")
    # an alert finds the outbox without a partition for it
    execute(ledger, "DROP TABLE " + ledger.value(
        "SELECT partition_name('outbox', (now() AT TIME ZONE 'UTC')::date)"))
    cmd = transfer("house", "a", "1.00")
    ledger.send(cmd)
    alert = until(lambda: ledger.rows(
        "SELECT payload FROM outbox WHERE type = 'row.missing'"), 60, "alert")
    assert len(alert) == 1
    assert '\\"a\\" of acme' in alert[0][0] and "balances" in alert[0][0]

    def tries():
        return writer.metric("ledger_retries_total",
                             reason="owner_not_locked")
    before, begun = tries(), time.monotonic()
    until(lambda: time.monotonic() - begun > 2, 10, "two seconds")
    assert tries() - before < 40
    until(lambda: "[-]batches" in writer.get("/readyz?verbose")[1], 60)
    execute(ledger, "INSERT INTO balances SELECT * FROM saved")
    assert ledger.answer(cmd)["status"] == "applied"
    writer.wait_ready()
    ledger.check_books()


def test_a_bound_topic_speaks_for_its_organisation_only(ledger, kafka):
    """Records of both topics meet in one batch."""
    bound = f"{ledger.topic}.acme"
    kafka.create(bound, partitions=1)
    free, ledger.topic = ledger.topic, bound
    ours = command("asset.define", asset="A", scale=2)
    theirs = command("asset.define", org="beta", asset="B", scale=2)
    ledger.send(ours, theirs)
    ledger.topic = free
    elsewhere = command("asset.define", org="beta", asset="C", scale=2)
    ledger.send(elsewhere)
    ledger.writer(commands_topics=f"{free},{bound}", bound_topics=f"{free}.")
    assert ledger.answer(ours)["status"] == "applied"
    assert ledger.answer(elsewhere)["status"] == "applied"
    refused = ledger.answer(theirs)
    assert refused["status"] == "invalid"
    assert ledger.rows("SELECT error_class, topic FROM rejected") == [
        ("invalid", bound)]
    assert "acme" in ledger.value("SELECT reason FROM rejected")
    assert ledger.rows("SELECT name FROM assets ORDER BY 1") == [
        ("A",), ("C",)]


def test_a_static_member_that_was_fenced_goes_on_as_a_new_one(ledger):
    """Another process took its name and died."""
    first = ledger.writer(instance="one", client_id="first")
    ledger.open_books()
    second = ledger.writer(instance="one", client_id="second",
                           wait_ready=False)
    until(lambda: ledger.value(
        "SELECT count(*) FROM consumer_partitions WHERE owner = 'second'"),
        60, "the second has the name")
    second.process.kill()
    second.process.wait(10)
    until(lambda: not first.running()
          or first.metric("ledger_consumer_reopened_total") == 1, 60,
          "Kafka fences the first")
    assert first.running()
    cmd = transfer("house", "a", "1.00")
    ledger.send(cmd)
    assert ledger.answer(cmd, 60)["status"] == "applied"
    first.wait_ready()
    assert first.metric("ledger_consumer_reopened_total") == 1
    ledger.check_books()


def test_kafka_away_for_longer_than_the_session_ends_no_static_member(
        ledger, cell):
    writer = ledger.writer(instance="one")
    ledger.open_books()
    cell.script("kafka.sh", "kill")
    begun = time.monotonic()
    try:
        until(lambda: time.monotonic() - begun > 10, 20, "the outage")
        assert writer.running()
    finally:
        cell.script("kafka.sh", "start")
    cmd = transfer("house", "a", "1.00")
    ledger.send(cmd)
    assert ledger.answer(cmd, 180)["status"] == "applied"
    assert writer.running()
    assert writer.metric("ledger_offset_holes_total") == 0
    ledger.check_books()
