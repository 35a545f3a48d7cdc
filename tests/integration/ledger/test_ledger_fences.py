"""Who owns a partition: writers that are stopped and woken, killed, cut off,
and logs that are not the one that the offset belongs to."""

import datetime
import re
import signal
import subprocess
import time

import psycopg2
import pytest

import ledger_oracle
from harness.wait import until
from ledger_feeding import Feeding
from ledger_kit import clock_shim, command, public_trade, transfer, v7
from ledger_random import Load


def prepare(ledger, seed):
    load = Load(seed)
    total = 0
    for step in load.setup():
        ledger.send(*step)
        total += len(step)
        ledger.wait_consumed(total)
    return load, total


def owned_by(writer):
    return writer.metric("ledger_partitions_owned")


def backends(ledger):
    return ledger.value(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'ch_writer' "
        "AND datname = current_database()")


def waiting_for_a_lock(cell, database):
    watcher = cell.connect("superuser", database)
    cur = watcher.cursor()
    cur.execute("SELECT count(*) FROM pg_stat_activity WHERE "
                "usename = 'ch_writer' AND datname = %s AND "
                "wait_event_type = 'Lock'", (database,))
    count = cur.fetchone()[0]
    watcher.close()
    return count


def test_a_writer_stopped_inside_its_transaction_is_taken_over_and_fenced(
        ledger, cell, database, tmp_path):
    """It stops while it waits for a row; then its backend gets that row and
    holds all locks of the batch, and nobody speaks for it."""
    first = ledger.writer(client_id="first")
    load, total = prepare(ledger, 1)
    blocker = cell.connect("owner", database)
    blocker.autocommit = False
    cur = blocker.cursor()
    cur.execute("SELECT 1 FROM balances b JOIN accounts a USING (org_id, "
                "account_id) WHERE a.name = 'house' FOR UPDATE OF b")
    records = [transfer("house", "u1", "1.00") for _ in range(50)]
    ledger.send(*records)
    total += len(records)
    until(lambda: waiting_for_a_lock(cell, database), 60,
          "the writer waits for the row")
    first.signal(signal.SIGSTOP)
    blocker.rollback()
    blocker.close()
    second = ledger.writer(client_id="second", wait_ready=False)
    ledger.wait_consumed(total, 60)
    until(lambda: ledger.rows(
        "SELECT DISTINCT owner FROM consumer_partitions WHERE topic = %s",
        ledger.topic) == [("second",)], 60, "the second has all partitions")
    more = load.records(400)
    ledger.send(*more)
    total += len(more)
    first.signal(signal.SIGCONT)
    ledger.wait_consumed(total, 60)
    first.wait_ready()
    assert second.running() and first.running()
    ledger.check_books()
    ledger_oracle.assert_equal(ledger, tmp_path)


def test_a_zombie_that_was_replaced_between_batches_writes_nothing(
        ledger, tmp_path):
    """Its connection is alive and its epoch is old: the fence finds no row."""
    first = ledger.writer(client_id="first")
    load, total = prepare(ledger, 2)
    # what a new owner's claim does, with the old one none the wiser
    ledger.db.cursor().execute(
        "UPDATE consumer_partitions SET epoch = epoch + 1 "
        "WHERE topic = %s", (ledger.topic,))
    records = load.records(500)
    ledger.send(*records)
    ledger.wait_consumed(total + 500)
    assert first.metric("ledger_fenced_total") >= 1
    assert first.metric("ledger_partition_claims_total") >= 9
    ledger.check_books()
    ledger_oracle.assert_equal(ledger, tmp_path)


def test_writers_killed_and_stopped_under_load_lose_and_double_nothing(
        ledger, tmp_path):
    writers = [ledger.writer(client_id=f"w{i}") for i in range(2)]
    load, total = prepare(ledger, 3)
    feeding = Feeding(ledger, load, total)
    begun = ledger.consumed()
    for turn in range(4):
        until(lambda: ledger.consumed() > begun + 300, 60, "progress")
        begun = ledger.consumed()
        victim = writers[turn % 2]
        if turn < 2:
            victim.process.kill()
            victim.process.wait(10)
        else:
            victim.signal(signal.SIGSTOP)
            until(lambda: ledger.consumed() > begun + 1500, 60,
                  "the other goes on")
            victim.signal(signal.SIGCONT)
            continue
        writers[turn % 2] = ledger.writer(client_id=f"w{turn + 2}",
                                          wait_ready=False)
    total = feeding.finish()
    ledger.wait_consumed(total, 120)
    ledger.check_books()
    ledger_oracle.assert_equal(ledger, tmp_path)
    # those of the killed end a moment after them
    until(lambda: backends(ledger) <= 4, 60, "no backend is left behind")


def test_postgresql_restarted_without_a_checkpoint_under_load(
        ledger, cell, tmp_path):
    writer = ledger.writer()
    load, total = prepare(ledger, 4)
    feeding = Feeding(ledger, load, total)
    until(lambda: ledger.consumed() > total + 300, 60, "progress")
    cell.script("postgres.sh", "immediate")
    until(lambda: "[-]postgres" in writer.get("/readyz?verbose")[1], 60,
          "not ready while PostgreSQL is away")
    cell.script("postgres.sh", "start")
    ledger.db = cell.connect("owner", ledger.database)
    total = feeding.finish()
    ledger.wait_consumed(total, 120)
    writer.wait_ready()
    ledger.check_books()
    ledger_oracle.assert_equal(ledger, tmp_path)


def test_a_missing_partition_of_today_is_made_and_the_batch_goes_on(ledger):
    writer = ledger.writer()
    ledger.open_books()
    today = ledger.value("SELECT to_char(now() AT TIME ZONE 'UTC', "
                         "'YYYYMMDD')")
    for table in ("command_log", "postings", "answers", "outbox", "rejected"):
        ledger.db.cursor().execute(
            f"ALTER TABLE {table} DETACH PARTITION {table}_{today};"
            f"ALTER TABLE {table}_{today} RENAME TO {table}_{today}_away")
    assert ledger.do(transfer("house", "a", "1.00"))["status"] == "applied"
    assert ledger.do(command("stock.receive", sku="s", qty="1")
                     )["status"] == "applied"
    until(lambda: writer.metric("ledger_table_partitions_made_total") >= 3,
          60, "they are counted")
    assert ledger.value("SELECT count(*) FROM postings") == 2


def test_many_days_that_are_missing_in_one_batch_are_all_made(ledger):
    writer = ledger.writer()
    ledger.open_books()
    ledger.db.cursor().execute(
        "UPDATE retention SET lowest_day = (now() AT TIME ZONE 'UTC')::date "
        "- 1000 WHERE table_name = 'command_log'")
    cmds = [transfer("house", "a", "1.00",
                     id_=v7(int((time.time() - ago * 86400) * 1000)))
            for ago in range(90)]
    before = ledger.consumed()
    ledger.at_once([writer], (0, cmds))
    ledger.wait_consumed(before + len(cmds))
    # a session that looked meanwhile may not know the last (tell_partitions())
    ledger.db = ledger.cell.connect("owner", ledger.database)
    for cmd in cmds:
        assert ledger.answer(cmd)["status"] == "applied"
    assert ledger.value("SELECT count(DISTINCT day) FROM command_log") == 90
    until(lambda: ledger.value("SELECT count(*) FROM untold_partitions") == 0,
          60, "all sessions are told of them")


def test_a_session_that_does_not_know_a_partition_is_left(ledger):
    """PostgreSQL may have one that was told of nothing; here the schema says
    of a table that is away that it is there."""
    writer = ledger.writer()
    ledger.open_books()
    truth = ledger.value("SELECT pg_get_functiondef('ensure_partition'::regproc)")
    child = ledger.value("SELECT partition_name('postings', CAST(now() AT TIME "
                         "ZONE 'UTC' AS date))")
    owner = ledger.db.cursor()
    owner.execute(f"ALTER TABLE postings DETACH PARTITION {child};"
                  f"ALTER TABLE {child} RENAME TO away")
    owner.execute("CREATE OR REPLACE FUNCTION ensure_partition(parent text, "
                  "day date) RETURNS boolean LANGUAGE sql SECURITY DEFINER "
                  "SET search_path = ch, pg_temp SET lock_timeout = '2s' "
                  "AS 'SELECT false'")
    cmd = transfer("house", "a", "1.00")
    ledger.send(cmd)
    until(lambda: writer.logged().count(
        "event=partition.unknown table=postings") > 1, 60, "a new session")
    owner.execute(truth)
    assert ledger.answer(cmd)["status"] == "applied"


def test_a_partition_that_was_detached_is_named_and_waited_for(ledger):
    """It may hold rows, so it is not the writer's to attach or to replace."""
    writer = ledger.writer(health_every="1s")
    ledger.open_books()
    day, child = ledger.rows(
        "SELECT d, partition_name('postings', d) FROM CAST(now() AT TIME ZONE "
        "'UTC' AS date) d")[0]
    ledger.db.cursor().execute(
        f"ALTER TABLE postings DETACH PARTITION {child}")
    cmd = transfer("house", "a", "1.00")
    ledger.send(cmd)
    line = until(lambda: re.search(r"event=partition.not_made .*",
                                   writer.logged()), 60, "it is named")[0]
    assert f"table=postings day={day} " in line, line
    assert f"ch.{child} is there and no partition of postings" in line, line
    until(lambda: writer.metric("ledger_missing_table_partitions",
                                table="postings") == 1, 60, "the metric")
    assert ledger.consumed() == 5
    ledger.db.cursor().execute(
        f"ALTER TABLE postings ATTACH PARTITION {child} FOR VALUES FROM "
        f"('{day} 00:00+00') TO ('{day + datetime.timedelta(1)} 00:00+00')")
    assert ledger.answer(cmd, 60)["status"] == "applied"
    writer.wait_ready()
    ledger.check_books()


def test_the_partition_of_a_dropped_day_is_never_made_again(ledger):
    ledger.writer()
    ledger.open_books()
    ledger.db.cursor().execute(
        "UPDATE retention SET lowest_day = (now() AT TIME ZONE 'UTC')::date "
        "WHERE table_name = 'command_log'")
    yesterday = int(time.time() // 86400) * 86400 * 1000 - 1000
    late = transfer("house", "a", "1.00", id_=v7(yesterday))
    assert ledger.do(late)["status"] == "key_expired"


def test_a_topic_made_anew_stops_its_partitions_with_an_alert(ledger, kafka):
    writer = ledger.writer(topic_check="300ms")
    ledger.open_books()
    ledger.db.cursor().execute(
        "UPDATE consumer_partitions SET topic_id = "
        "'01234567-89ab-4def-8123-456789abcdef' WHERE topic = %s AND part = 0",
        (ledger.topic,))
    ledger.db.cursor().execute(
        "UPDATE consumer_partitions SET next_offset = 1000000 "
        "WHERE topic = %s AND part = 1", (ledger.topic,))
    writer.stop()
    writer = ledger.writer(topic_check="300ms", wait_ready=False)
    writer.wait_metric(2, "ledger_partitions_stopped")
    until(lambda: "[-]log" in writer.get("/readyz?verbose")[1], 60, "readyz")
    assert writer.get("/readyz")[0] == 503
    alerts = alerts_of(ledger, 2)
    assert [a[0] for a in alerts] == [
        f"ledger-writer/{ledger.topic}/0", f"ledger-writer/{ledger.topic}/1"]
    assert "made anew" in alerts[0][1] and "seen to end at" in alerts[1][1]
    # the others go on
    cmd = command("stock.receive", sku="s", qty="1")
    ledger.send(cmd, partition=2)
    assert ledger.answer(cmd)["status"] == "applied"
    # and what comes to the stopped ones is told
    ledger.send(command("stock.receive", sku="s", qty="1"), partition=0)
    until(lambda: writer.metric("ledger_oldest_pending_seconds") > 1, 60,
          "it waits")


def alerts_of(ledger, count):
    """(key, body) of each, once there are so many."""
    def rows():
        found = ledger.rows("SELECT aggregateid, payload FROM outbox WHERE "
                            "aggregatetype = 'fleet.alerts' ORDER BY 1")
        return found if len(found) >= count else None
    return until(rows, 60, f"{count} alerts")


def restart(operator, topic, part, end_owner=False):
    with operator.cursor() as cur:
        cur.execute("SELECT * FROM ch.restart_partition(%s, %s, 0, 'me', "
                    "'the topic was made anew', end_owner => %s)",
                    (topic, part, end_owner))


def restarted(*args):
    """The owner's backend may end a moment after its process."""
    try:
        restart(*args)
        return True
    except (psycopg2.errors.ObjectNotInPrerequisiteState,
            psycopg2.errors.LockNotAvailable):
        return False


@pytest.mark.parametrize("how", ["stopped", "ended"])
def test_a_topic_that_is_made_anew_under_a_writer_is_not_read_on(
        ledger, kafka, cell, how):
    """Deleted and made again in Kafka, and soon longer than the old one was:
    nothing of it may be applied from the middle. Then the operator's step."""
    old, beside = ledger.topic, f"{ledger.topic}.beside"
    kafka.create(beside, partitions=1)
    flags = {"commands_topics": f"{old},{beside}", "topic_check": "1h",
             "trades_topics": "", "fills_topics": ""}
    writer = ledger.writer(**flags)
    ledger.open_books()
    for part in range(4):
        ledger.send(*[transfer("house", "a", "1.00") for _ in range(20)],
                    partition=part)
    ledger.wait_consumed(85)
    ends = ledger.rows("SELECT part, next_offset FROM consumer_partitions "
                       "WHERE topic = %s ORDER BY 1", old)
    kafka.delete(old)
    writer.wait_metric(1, "ledger_partitions_owned")  # it hears of it
    until(lambda: made_again(kafka, old), 60, "it is made again")
    anew = [transfer("house", "b", "1.00") for _ in range(200)]
    for part in range(4):
        ledger.send(*anew[part * 50:part * 50 + 50], partition=part)
    writer.wait_metric(4, "ledger_partitions_stopped")
    alerts = alerts_of(ledger, 4)
    assert [a[0] for a in alerts] == [
        f"ledger-writer/{old}/{part}" for part in range(4)]
    assert all("made anew" in a[1] for a in alerts), alerts
    assert ends == ledger.rows(
        "SELECT part, next_offset FROM consumer_partitions WHERE topic = %s "
        "ORDER BY 1", old)
    ledger.topic = beside
    assert ledger.do(transfer("house", "a", "1.00"))["status"] == "applied"
    ledger.topic = old
    assert ledger.value("SELECT count(*) FROM postings") == 2 * 81
    operator = cell.connect("operator", ledger.database)
    before = ledger.rows("SELECT next_log_seq FROM consumer_partitions "
                         "WHERE topic = %s ORDER BY part", old)
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState):
        restart(operator, old, 0)  # the writer lives
    if how == "stopped":
        assert writer.stop() == 0
    for part in range(4):
        until(lambda: restarted(operator, old, part, how == "ended"), 60,
              f"{part} is restarted")
    operator.close()
    assert ledger.value("SELECT count(*) FROM audit_events WHERE action = "
                        "'restart_partition'") == 4
    after = ledger.rows("SELECT next_log_seq FROM consumer_partitions "
                        "WHERE topic = %s ORDER BY part", old)
    # a writer that was not stopped reads on at once
    assert after == before if how == "stopped" else after >= before
    if how == "stopped":
        ledger.writer(**flags)
    ledger.wait_consumed(200)
    assert ledger.value("SELECT count(*) FROM postings") == 2 * 281
    assert {ledger.answer(c)["status"] for c in anew} == {"applied"}
    ledger.check_books()


def made_again(kafka, topic):
    """Its name is free a moment after it is gone."""
    try:
        kafka.create(topic, partitions=4)
        return True
    except subprocess.CalledProcessError:
        return False


def test_a_clock_that_is_wrong_stops_the_writer_and_says_so(ledger, tmp_path):
    """Also when it is slow; and the next writer, with a right clock, goes
    on."""
    cmd = command("asset.define", asset="A", scale=2)
    ledger.send(cmd)
    for skew in ("31536000", "-60"):
        writer = ledger.writer(
            wait_ready=False, instance="clock",
            env=clock_shim(tmp_path, SKEW_SECONDS=skew))
        until(lambda: "[-]clock" in writer.get("/readyz?verbose")[1], 60,
              "readyz names the clock")
        until(lambda: writer.metric("ledger_retries_total", reason="clock")
              > 0, 60, "a batch refused for the clock")
        assert ledger.consumed() == 0
        writer.stop()
    ledger.writer(instance="clock")
    assert ledger.answer(cmd)["status"] == "applied"


def test_a_clock_that_is_wrong_stores_no_trade(ledger, kafka, tmp_path):
    """Its time would stay the partition's for good, and a refused trade would
    need a day that nobody makes."""
    kafka.produce(ledger.trades, [public_trade(1)])
    for skew in ("31536000", "-60"):
        writer = ledger.writer(
            wait_ready=False, instance="clock",
            env=clock_shim(tmp_path, SKEW_SECONDS=skew))
        until(lambda: writer.metric("ledger_retries_total", reason="clock")
              > 0, 60, "trades refused for the clock")
        until(lambda: "[-]clock" in writer.get("/readyz?verbose")[1], 60,
              "readyz names the clock")
        assert ledger.consumed(ledger.trades) == 0
        writer.stop()
    ledger.writer(instance="clock")
    ledger.wait_consumed(1, topic=ledger.trades)
    kafka.produce(ledger.trades, [("k", "{")])
    ledger.wait_consumed(2, topic=ledger.trades)
    assert ledger.rows("SELECT error_class, abs(extract(epoch FROM decided_at "
                       "- now())) < 3600 FROM rejected") == [("invalid", True)]


def test_a_drained_writer_leaves_in_order(ledger, tmp_path):
    first = ledger.writer()
    load, total = prepare(ledger, 5)
    feeding = Feeding(ledger, load, total)
    until(lambda: ledger.consumed() > total + 300, 60, "progress")
    assert first.stop() == 0
    ledger.writer()
    total = feeding.finish()
    ledger.wait_consumed(total, 120)
    ledger.check_books()
    ledger_oracle.assert_equal(ledger, tmp_path)


def test_records_that_come_while_a_partition_is_claimed_are_not_skipped(
        ledger, tmp_path):
    """A consumer that is assigned at a logical offset may go back to it after
    the start: then everything produced in between would be lost in silence."""
    total = 0
    for _ in range(6):
        writer = ledger.writer(client_id="again", instance="again",
                               wait_ready=False)
        cmds = [command("asset.define", asset=f"A{total + i}", scale=2)
                for i in range(200)]
        for at in range(0, len(cmds), 50):
            ledger.send(*cmds[at:at + 50])
        total += len(cmds)
        ledger.wait_consumed(total)
        writer.stop()
    assert ledger.value("SELECT count(*) FROM command_log") == total
    ledger_oracle.assert_equal(ledger, tmp_path)
