"""A history that was lost on one side: a partition read again from before,
decisions that PostgreSQL forgot, records that the log does not have; and times
that are not yet."""

import datetime
import json
import pathlib
import shutil
import time

import psycopg2
import pytest

from harness.cell import Broker
from harness.kafka import Kafka
from harness.wait import until
from ledger_kit import Ledger, command, rfc3339, transfer, v7


@pytest.fixture
def operator_of(cell):
    made = []

    def connect(database):
        made.append(cell.connect("operator", database))
        return made[-1]
    yield connect
    for db in made:
        db.close()


@pytest.fixture
def operator(ledger, operator_of):
    return operator_of(ledger.database)


def pay(**fields):
    return transfer("house", "a", "1.00", **fields)


def restart(operator, topic, part, offset, end_owner=False):
    """The backend of a writer that has ended may live a moment longer."""
    def done():
        try:
            with operator.cursor() as cur:
                cur.execute("SELECT * FROM restart_partition(%s, %s, %s, "
                            "'me', 'a test', end_owner => %s)",
                            (topic, part, offset, end_owner))
            return True
        except (psycopg2.errors.ObjectNotInPrerequisiteState,
                psycopg2.errors.LockNotAvailable):
            return False
    until(done, 60, f"{topic}/{part} is restarted")


def call(db, sql):
    with db.cursor() as cur:
        cur.execute(sql)


def next_offset(ledger, part=0, topic=None):
    return ledger.value("SELECT next_offset FROM consumer_partitions WHERE "
                        "topic = %s AND part = %s", topic or ledger.topic,
                        part)


def statuses(ledger, cmd):
    return [a["status"] + "!" * a.get("duplicate", False)
            for a in ledger.answers_of(cmd["id"])]


def alerts(ledger, kind):
    return [json.loads(row[0]) for row in ledger.rows(
        "SELECT payload FROM outbox WHERE type = %s", kind)]


def settled(ledger, *cmds):
    ledger.send(*cmds, partition=0)
    for cmd in cmds:
        ledger.answer(cmd)


# ---- a partition read again

def refuse_some(ledger, operator):
    """What was not decided, and what was, all in partition 0."""
    call(operator, "SELECT pause('acme', NULL, 'a test', 'me')")
    refused = pay()
    dry = command("stock.receive", sku="s", qty="1", dry_run=True)
    settled(ledger, refused, dry)
    ledger.send(("acme/s", "{broken"), ("acme/s", json.dumps(
        {"id": v7(), "org": "acme", "type": "no.such"})), partition=0)
    call(operator, "SELECT resume('acme', 'over', 'me', override => 'test')")
    again = pay()  # its producer gave it up, and asked anew
    settled(ledger, again)
    assert statuses(ledger, refused) == ["trading_paused"]
    assert statuses(ledger, dry) == ["applied"]
    assert statuses(ledger, again) == ["applied"]
    return refused, dry, again


def test_what_was_refused_for_now_is_not_decided_when_it_is_read_again(
        ledger, operator):
    writer = ledger.writer()
    ledger.open_books()
    refused, dry, again = refuse_some(ledger, operator)
    letters = ledger.rows("SELECT letter_id FROM rejected ORDER BY 1")
    assert len(letters) == 2
    end = next_offset(ledger)
    assert writer.stop() == 0
    restart(operator, ledger.topic, 0, 0)
    writer = ledger.writer()
    until(lambda: next_offset(ledger) == end, 60, "all of it is read again")
    assert statuses(ledger, refused) == ["trading_paused", "superseded"]
    assert statuses(ledger, dry) == ["applied", "superseded"]
    assert statuses(ledger, again) == ["applied", "applied!"]
    assert ledger.rows("SELECT letter_id FROM rejected ORDER BY 1") == letters
    assert ledger.value("SELECT count(*) FROM postings") == 2
    # while it is new, it is decided: the id is free
    settled(ledger, refused)
    until(lambda: statuses(ledger, refused) == [
        "trading_paused", "superseded", "applied"], 60, "it is decided")
    # and a second time back, under a writer that lives
    restart(operator, ledger.topic, 0, 0, end_owner=True)
    until(lambda: next_offset(ledger) == end + 1, 60, "and once more")
    assert statuses(ledger, dry)[-1] == "superseded"
    assert ledger.value("SELECT count(*) FROM postings") == 4
    assert writer.running()
    ledger.check_books()


def test_what_a_restart_skipped_is_decided_when_it_is_gone_back_to(
        ledger, operator):
    writer = ledger.writer()
    ledger.open_books()
    settled(ledger, pay())
    at = next_offset(ledger)
    assert writer.stop() == 0
    skipped, last = [pay() for _ in range(3)], pay()
    ledger.send(*skipped, last, partition=0)
    restart(operator, ledger.topic, 0, at + 3)
    writer = ledger.writer()
    ledger.answer(last)
    assert [statuses(ledger, c) for c in skipped] == [[], [], []]
    restart(operator, ledger.topic, 0, at, end_owner=True)
    for cmd in skipped:
        ledger.answer(cmd)
    until(lambda: next_offset(ledger) == at + 4, 60, "read to the end")
    assert [statuses(ledger, c) for c in skipped] == [["applied"]] * 3
    assert statuses(ledger, last) == ["applied", "applied!"]
    ledger.check_books()


def test_a_letter_of_a_trade_is_written_once(ledger, kafka, operator):
    writer = ledger.writer()
    kafka.produce(ledger.trades, [("k", "{")], 0)
    ledger.wait_consumed(1, topic=ledger.trades)
    assert ledger.value("SELECT count(*) FROM rejected") == 1
    restart(operator, ledger.trades, 0, 0, end_owner=True)
    until(lambda: writer.metric("ledger_trades_total", result="rejected")
          == 2, 60, "it is read again")
    assert next_offset(ledger, topic=ledger.trades) == 1
    assert ledger.value("SELECT count(*) FROM rejected") == 1


# ---- decisions that PostgreSQL lost

def copy_database(ledger, name):
    """As of now, as a dump of it would be: nobody is connected to it."""
    ledger.db.close()
    db = psycopg2.connect(ledger.cell.url("superuser", "postgres"))
    db.autocommit = True

    def made():
        try:
            call(db, f"CREATE DATABASE {name} OWNER ch_owner TEMPLATE "
                     f"{ledger.database}")
            return True
        except psycopg2.errors.ObjectInUse:
            return False
    until(made, 60, f"{ledger.database} is copied")
    db.close()
    ledger.db = ledger.cell.connect("owner", ledger.database)


@pytest.fixture
def restored(ledger):
    """A ledger of which a backup was put back that lacks seven decisions."""
    writer = ledger.writer()
    ledger.open_books()
    settled(ledger, *[pay() for _ in range(5)])
    assert writer.stop() == 0
    first, backup = ledger.database, f"{ledger.database}_backup"
    copy_database(ledger, backup)
    writer = ledger.writer()
    lost = [pay() for _ in range(7)]
    settled(ledger, *lost)
    assert writer.stop() == 0
    ledger.db.close()
    ledger.database = backup
    ledger.db = ledger.cell.connect("owner", backup)
    yield ledger, lost
    ledger.db.close()
    ledger.cell.drop_database(backup)
    ledger.database, ledger.db = first, ledger.cell.connect("owner", first)


@pytest.mark.parametrize("skip", [False, True])
def test_a_restored_database_stops_until_somebody_has_looked(
        restored, operator_of, skip):
    ledger, lost = restored
    at = next_offset(ledger)
    for _ in range(2):  # the next writer finds it, too
        writer = ledger.writer(wait_ready=False)
        writer.wait_metric(1, "ledger_partitions_stopped")
        until(lambda: "[-]log" in writer.get("/readyz?verbose")[1], 60,
              "readyz")
        assert writer.stop() == 0
    said = alerts(ledger, "partition.rewound")
    assert len(said) >= 2  # one more for each connection that was lost
    assert {(a["partition"], a["next_offset"], a["seen_offset"], a["records"])
            for a in said} == {(0, at, at + 7, 7)}
    assert "event=partition.rewound " in writer.logged()
    assert ledger.value("SELECT count(*) FROM postings") == 2 * 5
    operator = operator_of(ledger.database)
    restart(operator, ledger.topic, 0, at + 7 if skip else at)
    operator.close()
    writer = ledger.writer()
    marker = pay()
    settled(ledger, marker)
    expected = [[]] * 7 if skip else [["applied"]] * 7
    assert [statuses(ledger, cmd) for cmd in lost] == expected
    assert ledger.value("SELECT count(*) FROM postings") \
        == 2 * (6 if skip else 13)
    ledger.check_books()
    assert writer.stop() == 0
    writer = ledger.writer()
    assert writer.metric("ledger_partitions_stopped") == 0
    settled(ledger, pay())


def test_a_row_set_back_under_a_writer_stops_it(ledger, operator):
    """As when a standby that lagged is promoted. What the writer had seen is
    kept in Kafka, for the next one; a restart takes it back."""
    writer = ledger.writer()
    ledger.open_books()
    settled(ledger, *[pay() for _ in range(5)])
    at = next_offset(ledger)
    call(ledger.db, "UPDATE consumer_partitions SET next_offset = "
         f"next_offset - 2 WHERE topic = '{ledger.topic}' AND part = 0")
    call(ledger.db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
         "WHERE usename = 'ch_writer' AND datname = current_database()")
    writer.wait_metric(1, "ledger_partitions_stopped")
    assert {(a["next_offset"], a["seen_offset"]) for a in
            alerts(ledger, "partition.rewound")} == {(at - 2, at)}
    writer.kill()
    writer = ledger.writer(wait_ready=False)
    writer.wait_metric(1, "ledger_partitions_stopped")
    restart(operator, ledger.topic, 0, at - 2, end_owner=True)
    until(lambda: next_offset(ledger) == at, 60, "it goes on")
    writer.wait_metric(0, "ledger_partitions_stopped")
    assert ledger.value("SELECT count(*) FROM postings") == 2 * 5


def test_the_groups_offset_follows_a_restart(ledger, operator):
    """It is set back with the claim, not with the first batch: a writer that
    dies in between would else leave the next one to find a lost history."""
    writer = ledger.writer(trades_topics="", fills_topics="")
    ledger.open_books()
    settled(ledger, *[pay() for _ in range(5)])
    at = next_offset(ledger)
    assert writer.stop() == 0
    restart(operator, ledger.topic, 0, 0)
    holder = ledger.cell.connect("owner", ledger.database)
    holder.autocommit = False  # no batch begins, claims go on
    call(holder, "LOCK TABLE pause_lock IN EXCLUSIVE MODE")
    writer = ledger.writer(trades_topics="", fills_topics="",
                           wait_ready=False)
    until(lambda: ledger.value("SELECT topic_id <> '' FROM consumer_partitions "
                               "WHERE part = 0"), 60, "it has its ids")
    writer.process.kill()
    writer.process.wait(60)
    holder.close()
    assert next_offset(ledger) == 0
    writer = ledger.writer(trades_topics="", fills_topics="")
    until(lambda: next_offset(ledger) == at, 60, "it is read again")
    assert writer.metric("ledger_partitions_stopped") == 0


# ---- records that the log does not have

def test_a_log_that_has_lost_its_beginning_is_begun_with_an_alert(
        ledger, kafka):
    early = [command("stock.receive", sku="s", qty="1") for _ in range(6)]
    ledger.send(*early, partition=0)
    kafka.trim(ledger.topic, 0, 5)
    writer = ledger.writer()
    assert ledger.answer(early[5])["status"] == "applied"
    assert [statuses(ledger, cmd) for cmd in early[:5]] == [[]] * 5
    (said,) = alerts(ledger, "partition.begun_late")
    assert (said["partition"], said["records"]) == (0, 5)
    assert writer.metric("ledger_begun_late_records_total") == 5
    assert writer.metric("ledger_partitions_stopped") == 0


@pytest.fixture
def own_broker():
    broker = Broker("")
    try:
        yield broker
    finally:
        broker.stop()


def lose_since(broker, saved):
    """Its log is that of the copy again, and other leaders take what comes: the
    second start's epoch is above any that was seen before."""
    broker.script("stop")
    kept = pathlib.Path(broker.state) / "kafka"
    shutil.rmtree(kept)
    shutil.copytree(saved, kept)
    broker.start()
    broker.script("stop")
    broker.start()


def test_a_log_that_was_cut_and_has_grown_again_is_not_read_on(
        cell, db, database, daemons, own_broker, operator_of, tmp_path):
    """As when a replica that lagged becomes the leader. Offsets do not show it:
    the leader's epoch does."""
    kafka = Kafka(own_broker.start())
    ledger = Ledger(cell, kafka, db, database, daemons)
    writer = ledger.writer()
    ledger.open_books()
    settled(ledger, *[pay() for _ in range(5)])
    assert writer.stop() == 0
    cut = next_offset(ledger)
    own_broker.script("stop")
    shutil.copytree(pathlib.Path(own_broker.state) / "kafka",
                    tmp_path / "kafka")
    own_broker.start()
    writer = ledger.writer()
    settled(ledger, *[pay() for _ in range(7)])
    assert writer.stop() == 0
    lose_since(own_broker, tmp_path / "kafka")
    others = [pay() for _ in range(20)]
    ledger.send(*others, partition=0)

    for _ in range(2):  # it is kept: the next writer need not hear of it
        writer = ledger.writer(wait_ready=False)
        writer.wait_metric(1, "ledger_partitions_stopped")
        assert writer.stop() == 0
    said = alerts(ledger, "partition.stopped")
    assert len(said) >= 2 and {a["next_offset"] for a in said} == {cut + 7}
    for alert in said:
        assert f"was seen to end at {cut}, " in alert["reason"], alert
        assert "leader epoch" in alert["reason"], alert
    assert ledger.value("SELECT count(*) FROM postings") == 2 * 12
    restart(operator_of(database), ledger.topic, 0, cut)
    ledger.writer()
    for cmd in others:
        assert ledger.answer(cmd)["status"] == "applied"
    ledger.check_books()


# ---- times that are not yet

def times_ahead(ledger):
    """Which rows carry a time that is not yet."""
    return {table: ledger.value(f"SELECT count(*) FROM {table} WHERE last_at "
                                "> now() + interval '1 minute'")
            for (table,) in ledger.rows("SELECT timed_tables()")}


def hold():
    return command("hold.place", **{"from": "house"}, amount="1.00",
                   expires_at=rfc3339(3600))


def test_the_books_time_comes_back_after_clocks_that_were_ahead(
        ledger, operator):
    """Both clocks cannot be moved here: what they would have written is."""
    assert {t for (t,) in ledger.rows("SELECT timed_tables()")} == {
        t for (t,) in ledger.rows(
            "SELECT table_name FROM information_schema.columns JOIN "
            "information_schema.tables USING (table_schema, table_name) WHERE "
            "table_schema = 'ch' AND column_name = 'last_at' AND table_type = "
            "'BASE TABLE' AND table_name !~ '^snapshot'")}
    call(operator, "SELECT set_rate_rule('pays', NULL, 'actor', "
         "'{transfer.post}', 2, '1 hour', 1, 'me', 'a test')")
    writer = ledger.writer()
    ledger.open_books()
    settled(ledger, pay(actor="x"))
    call(ledger.db, "UPDATE balances SET last_at = now() + interval '1 day' "
         "WHERE account_id = (SELECT account_id FROM accounts WHERE name = "
         "'house')")
    settled(ledger, pay(actor="x"))
    refused, late = hold(), pay(actor="y")
    settled(ledger, refused, late)
    assert statuses(ledger, refused) == ["hold_expired"]
    assert statuses(ledger, late) == ["applied"]
    assert times_ahead(ledger)["consumer_partitions"] == 1
    stamps_ahead = ("SELECT count(*) FROM rate_windows, unnest(stamps) AS s "
                    "WHERE s > extract(epoch FROM now()) * 1000000")
    assert ledger.value(stamps_ahead) == 2
    with operator.cursor() as cur:
        with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState):
            cur.execute("SELECT * FROM set_back_times('me', 'a test')")
        cur.execute("SELECT table_name, rows_ahead FROM set_back_times('me', "
                    "'a test', dry_run => true)")
        said = cur.fetchall()
        assert dict(said) == {t: n for t, n in times_ahead(ledger).items()
                              if n > 0}
    assert writer.stop() == 0

    def set_back():
        try:
            with operator.cursor() as cur:
                cur.execute("SELECT table_name, rows_ahead FROM "
                            "set_back_times('me', 'a test')")
                return cur.fetchall()
        except psycopg2.errors.ObjectNotInPrerequisiteState:
            return None  # its backend ends a moment later
    assert until(set_back, 60, "the times are set back") == said
    assert not any(times_ahead(ledger).values())
    assert ledger.value("SELECT count(*) FROM audit_events WHERE action = "
                        "'set_back_times'") == 1
    assert ledger.value(stamps_ahead) == 0
    ledger.writer()
    placed = hold()
    settled(ledger, placed)
    assert statuses(ledger, placed) == ["applied"]
    assert ledger.value("SELECT abs(extract(epoch FROM now() - max(last_at))) "
                        "< 600 FROM consumer_partitions")
    assert not any(times_ahead(ledger).values())
    ledger.check_books()


def ten_days_ahead(ledger):
    """The books as clocks leave them that were so far ahead: a row's time, and
    the partitions of those days."""
    for table, day in ledger.rows(
            "SELECT table_name, d::date FROM retention, generate_series("
            "(now() AT TIME ZONE 'UTC')::date + 9, (now() AT TIME ZONE "
            "'UTC')::date + 11, interval '1 day') d"):
        call(ledger.db, f"CREATE TABLE {table}_{day:%Y%m%d} PARTITION OF "
             f"{table} FOR VALUES FROM ('{day} 00:00+00') TO "
             f"('{day + datetime.timedelta(1)} 00:00+00')")
    call(ledger.db, "UPDATE balances SET last_at = now() + interval '10 days' "
         "WHERE account_id = (SELECT account_id FROM accounts WHERE name = "
         "'house')")
    settled(ledger, pay())
    assert times_ahead(ledger)["consumer_partitions"] == 1


def id_in(days):
    return v7(int((time.time() + days * 86400) * 1000))


def test_an_id_that_clocks_ahead_took_is_known_when_they_are_right(ledger):
    ledger.writer()
    ledger.open_books()
    ten_days_ahead(ledger)
    first, later = pay(), id_in(10)
    settled(ledger, first)
    # as if it had come with the clocks ahead
    call(ledger.db, f"UPDATE command_log SET id = '{later}', day = (now() AT "
         f"TIME ZONE 'UTC')::date + 10, result = replace(result, "
         f"'{first['id']}', '{later}') WHERE id = '{first['id']}'")
    again, other, behind = {**first, "id": later}, pay(id_=later, ref="r"), pay()
    ledger.send(again, other, behind, partition=0)
    assert ledger.answer(behind, 60)["status"] == "applied"
    assert [(a["status"], a.get("duplicate"))
            for a in ledger.answers_of(later)] == [
        ("applied", None), ("applied", True), ("key_reused", None)]
    assert ledger.value("SELECT count(*) FROM rejected") == 0


def test_an_id_of_a_clock_ahead_holds_nobody_up_when_ours_were_too(ledger):
    """It has a day that gets no partition."""
    writer = ledger.writer()
    ledger.open_books()
    ten_days_ahead(ledger)
    ahead, behind = [pay(id_=id_in(days)) for days in (9.9, 1, 4)], pay()
    ledger.send(*ahead, behind, partition=0)
    assert ledger.answer(behind, 60)["status"] == "applied"
    for cmd in ahead:
        assert ledger.answer(cmd)["status"] == "key_in_future"
    assert writer.metric("ledger_retries_total",
                         reason="partition_missing") == 0
    ledger.check_books()
