"""Days go when nothing needs them any more, and say why when they may not."""

import datetime
import hashlib
import threading
import uuid

import psycopg2
import pytest

from schema_rows import Rows, past_is_over

NOT_YET = psycopg2.errors.ObjectNotInPrerequisiteState
SHA = hashlib.sha256(b"the file").hexdigest()


@pytest.fixture
def operator(connect):
    return connect()


def run(db, text, *args):
    with db.cursor() as cur:
        cur.execute(text, args or None)
        return cur.fetchall() if cur.description else None


def day(db, ago):
    """(date, noon of it) so many days ago."""
    at = run(db, "SELECT ((now() AT TIME ZONE 'UTC')::date - %s + time '12:00')"
             " AT TIME ZONE 'UTC'", ago)[0][0]
    return at.astimezone(datetime.timezone.utc).date(), at


def reopen(db, *tables):
    """As if the tables had been there for long."""
    run(db, "UPDATE retention SET lowest_day = current_date - 60, first_day = "
        "current_date - 60 WHERE table_name = ANY (%s)", list(tables))


def partition(db, table, ago):
    run(db, "SELECT ensure_partition(%s, %s)", table, day(db, ago)[0])


@pytest.fixture
def books(db):
    """Commands of 40 days, 39 days and now."""
    reopen(db, "command_log", "postings", "answers", "rejected", "outbox",
           "trades_public")
    acme = Rows(db, "acme")
    acme.account("bank")
    acme.account("user", floor=0)
    for ago in (40, 39):
        for table in ("command_log", "postings", "answers", "rejected",
                      "outbox", "trades_public"):
            partition(db, table, ago)
        acme.post([("bank", "user", 100)], at=day(db, ago)[1])
        acme.post([("bank", "user", 20)], at=day(db, ago)[1])
    acme.post([("user", "bank", 5)])
    return acme


def drop(db, table, ago, more=""):
    return run(db, f"SELECT ch.drop_day('{table}', '{day(db, ago)[0]}', 'me', "
               f"'old'{more})")


def refused(db, table, ago, *words):
    """drop_day says all of these."""
    with pytest.raises(NOT_YET) as said:
        drop(db, table, ago)
    text = str(said.value)
    for word in words:
        assert word in text, text


def snapshot(db):
    taken = run(db, "SELECT snapshot_id FROM ch.take_snapshot('me', 'x')")
    past_is_over(db, taken[0][0])
    assert run(db, "SELECT 1 FROM ch.verify_snapshot(%s, 'me')",
               taken[0][0]) == []


def record(db, table, ago, rows, more=""):
    return run(db, f"SELECT ch.record_archive('{table}', "
               f"'{day(db, ago)[0]}', '{table}.csv.gz', '{SHA}', {rows}, "
               f"'me'{more})")[0][0]


def confirm(db, number, rows, sha=SHA, more=""):
    run(db, "SELECT ch.confirm_archive(%s, %s, %s, 'me', 'nightly'" + more +
        ")", number, sha, rows)


def archive(db, table, ago, rows, more=""):
    """Written to a file, which was read back."""
    confirm(db, record(db, table, ago, rows, more), rows)


def deliver(db, stream, log_seq, slot="ch_relay"):
    run(db, "INSERT INTO relay_progress (slot, streams, log_seqs) VALUES "
        "(%s, %s, %s) ON CONFLICT (slot) DO UPDATE SET streams = "
        "excluded.streams, log_seqs = excluded.log_seqs", slot, [stream],
        [log_seq])


def verify(db, stream, log_seq):
    """What the reconciler writes."""
    run(db, "INSERT INTO reconcile_streams (stream, verified) VALUES (%s, %s) "
        "ON CONFLICT (stream) DO UPDATE SET verified = excluded.verified",
        stream, log_seq)


def exists(db, table, ago):
    return run(db, "SELECT to_regclass('ch.' || partition_name(%s, %s)) "
               "IS NOT NULL", table, day(db, ago)[0])[0][0]


def test_a_day_of_the_log_goes_when_nothing_needs_it(db, operator, books):
    refused(db, "command_log", 34, "partition is none")
    partition(db, "command_log", 34)
    refused(db, "command_log", 34, "day is", "needed is before", "keep_days "
            "(35)")
    refused(db, "command_log", 39, "oldest day", "drop command_log_", "first")
    refused(operator, "command_log", 40, "no relay has delivered yet",
            "start outbox-relay")
    deliver(db, books.stream, 1)
    deliver(db, books.stream, 9, "other")
    refused(operator, "command_log", 40,
            f"slot ch_relay: stream {books.stream} to 1", "needed is 2")
    deliver(db, books.stream, 2)
    refused(operator, "command_log", 40, "no gap, says the reconciler",
            f"stream {books.stream} never seen", "start the reconciler")
    verify(db, books.stream, 3)
    refused(operator, "command_log", 40, "no snapshot covers the day",
            "ch.take_snapshot")
    snapshot(operator)
    refused(operator, "command_log", 40, "archive is none", "record_archive")
    with pytest.raises(NOT_YET, match="has 2 rows, the file has 3"):
        archive(operator, "command_log", 40, 3)
    record(operator, "command_log", 40, 2, ", dry_run => true")
    refused(operator, "command_log", 40, "archive is none")
    number = record(operator, "command_log", 40, 2)
    # nobody has seen yet that the file can be read
    refused(operator, "command_log", 40, "command_log.csv.gz, not read back",
            f"ch.confirm_archive({number}, ...)")
    for rows, sha in ((1, SHA), (2, SHA[::-1]), (None, SHA), (2, None)):
        with pytest.raises(NOT_YET, match=f"archive {number} was recorded "
                           f"with 2 rows and digest {SHA}"):
            confirm(operator, number, rows, sha)
    with pytest.raises(psycopg2.errors.NoDataFound):
        confirm(operator, number + 1, 2)
    confirm(operator, number, 2, more=", dry_run => true")
    refused(operator, "command_log", 40, "not read back")
    confirm(operator, number, 2, SHA.upper())
    assert run(db, "SELECT actor, subject, reason, after->>'file' FROM "
               "audit_events WHERE action = 'confirm_archive'") == [
        ("me", f"command_log_{day(db, 40)[0]:%Y%m%d}", "nightly",
         "command_log.csv.gz")]

    foreseen = run(operator, "SELECT condition, ok FROM ch.drop_day("
                   "'command_log', %s, 'me', 'old', dry_run => true)",
                   day(db, 40)[0])
    assert [ok for _, ok in foreseen] == [True] * len(foreseen)
    assert exists(db, "command_log", 40)
    assert run(operator, "SELECT may_go FROM ch.retention_status() WHERE "
               "table_name = 'command_log' ORDER BY day LIMIT 2") == [
        (True,), (False,)]
    drop(operator, "command_log", 40)
    assert not exists(db, "command_log", 40)
    assert run(db, "SELECT lowest_day FROM retention WHERE table_name = "
               "'command_log'") == [(day(db, 39)[0],)]
    assert run(db, "SELECT base, verified FROM reconcile_streams") == [(2, 3)]
    assert run(db, "SELECT break_key FROM check_log_seq") == []
    assert run(db, "SELECT before->'archive'->>'sha256', actor, reason FROM "
               "audit_events WHERE action = 'drop_day'") == [
        (SHA, "me", "old")]
    # and it is not made again
    with pytest.raises(psycopg2.Error):
        partition(db, "command_log", 40)


def test_a_row_that_came_after_the_archive_keeps_the_day(db, operator, books):
    archive(operator, "command_log", 40, 2)
    books.post([("bank", "user", 1)], at=day(db, 40)[1])
    deliver(db, books.stream, 99)
    verify(db, books.stream, 99)
    snapshot(operator)
    refused(operator, "command_log", 40, "rows came after command_log.csv.gz")
    # closing the day first spares that
    run(operator, "SELECT ch.close_day('command_log', %s, 'me', 'to archive')",
        day(db, 40)[0])
    archive(operator, "command_log", 40, 3)
    drop(operator, "command_log", 40)
    assert run(db, "SELECT action FROM audit_events WHERE subject LIKE "
               "'command_log%' ORDER BY event_id") == [
        ("record_archive",), ("confirm_archive",), ("close_day",),
        ("record_archive",), ("confirm_archive",), ("drop_day",)]


def test_a_row_past_the_vector_of_every_verified_snapshot_keeps_the_day(
        db, operator, books):
    snapshot(operator)
    books.post([("bank", "user", 1)], at=day(db, 40)[1])
    deliver(db, books.stream, 99)
    verify(db, books.stream, 99)
    archive(operator, "command_log", 40, 3)
    refused(operator, "command_log", 40, "no snapshot covers")
    snapshot(operator)
    drop(operator, "command_log", 40)


def test_the_reconciler_must_have_seen_that_there_is_no_gap(
        db, operator, books):
    deliver(db, books.stream, 99)
    snapshot(operator)
    archive(operator, "command_log", 40, 2)
    verify(db, books.stream, 1)
    refused(operator, "command_log", 40, "no gap, says the reconciler",
            f"stream {books.stream} to 1, needed is 2")


def test_pending_letters_keep_their_day(db, operator, books):
    letter = books.letter(day(db, 40)[1])
    books.answer(day(db, 40)[1])
    deliver(db, books.stream, 99)
    verify(db, books.stream, 99)
    archive(operator, "rejected", 40, 1)
    refused(operator, "rejected", 40, "1 pending", "dlq discard")
    run(db, "INSERT INTO letter_states (letter_id, state) VALUES (%s, "
        "'discarded')", letter)
    drop(operator, "rejected", 40)
    archive(operator, "answers", 40, 1)
    drop(operator, "answers", 40)
    assert run(db, "SELECT break_key FROM check_log_seq") == []


def test_events_go_when_every_relay_has_delivered_them(db, operator, books):
    run(db, "INSERT INTO outbox (seq, id, aggregatetype, aggregateid, type, "
        "created_at) VALUES (1, gen_random_uuid(), 'a', 'b', 'c', %s)",
        day(db, 40)[1])
    deliver(db, books.stream, 0)
    refused(operator, "outbox", 40, "slot ch_relay has rows to deliver")
    run(db, "UPDATE relay_progress SET snapshot = pg_current_snapshot()")
    drop(operator, "outbox", 40)
    assert run(db, "SELECT count(*) FROM outbox") == [(0,)]


def test_marks_of_deliveries_go_with_the_log(db, operator, books):
    """Of the answers too, and a day later than both."""
    deliver(db, books.stream, 2)
    run(db, "INSERT INTO delivery_marks SELECT 's', 1, 100 - ago, (current_date"
        " - ago) AT TIME ZONE 'UTC' FROM generate_series(30, 45) AS ago")
    run(db, "UPDATE retention SET lowest_day = current_date - 41 "
        "WHERE table_name = 'answers'")
    left = "SELECT array_agg((100 - log_seq)::int4) FROM delivery_marks"
    drop(operator, "trades_public", 40)
    assert max(run(db, left)[0][0]) == 45, "the log reaches back further"
    run(db, "UPDATE retention SET lowest_day = current_date - 41 "
        "WHERE table_name = 'command_log'")
    drop(operator, "trades_public", 39)
    assert sorted(run(db, left)[0][0]) == list(range(30, 43))
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        run(operator, "DELETE FROM ch.delivery_marks")


def test_trades_go_by_their_age_alone(db, operator, books):
    assert run(operator, "SELECT ch.drop_due_days('trades_public', 'me', "
               "'30 days', dry_run => true)") == [(day(db, 40)[0],),
                                                  (day(db, 39)[0],)]
    assert exists(db, "trades_public", 40)
    run(operator, "SELECT ch.drop_due_days('trades_public', 'me', '30 days')")
    assert run(db, "SELECT count(*) FROM ch.retention_status() WHERE "
               "table_name = 'trades_public'") == [(3,)]
    assert run(operator, "SELECT ch.drop_due_days('trades_public', 'me', "
               "'30 days')") == []


def test_postings_are_sealed_with_their_archive_never_just_dropped(
        db, operator, books):
    refused(operator, "postings", 40, "keep_days (36500)")
    run(operator, "SELECT ch.set_keep_days('postings', 39, 'me', 'sealing')")
    refused(operator, "postings", 40, "summed by the reconciler")
    run(db, "UPDATE reconcile_progress SET watermark = 99")
    refused(operator, "postings", 40, "no snapshot covers the day")
    snapshot(operator)
    refused(operator, "postings", 40, "archive is none")
    archive(operator, "postings", 40, 4)
    # a posting that came to the day after its file was written
    books.post([("bank", "user", 3)], at=day(db, 40)[1])
    snapshot(operator)
    refused(operator, "postings", 40, "rows came after postings.csv.gz")
    archive(operator, "postings", 40, 6)
    assert run(db, "SELECT break_key FROM check_balances") == []
    drop(operator, "postings", 40)
    assert run(db, "SELECT posted, n, through FROM sealed_postings ORDER BY 1"
               ) == [(-123, 3, day(db, 40)[0]), (123, 3, day(db, 40)[0])]
    # every balance is still the sum of its postings
    assert run(db, "SELECT break_key FROM check_balances") == []
    snapshot(operator)
    books.post([("bank", "user", 1)])
    (taken,), *_ = run(operator, "SELECT snapshot_id FROM "
                       "ch.take_snapshot('me', 'x')")
    past_is_over(operator, taken)
    assert run(operator, "SELECT 1 FROM ch.verify_snapshot((SELECT max("
               "snapshot_id) FROM ch.snapshots), 'me', from_nothing => true)"
               ) == []
    run(db, "UPDATE balances SET balance = balance + 1 WHERE floor = 0")
    assert len(run(db, "SELECT break_key FROM check_balances")) == 1


def test_the_owner_detaches_without_stopping_anybody(db, operator, books):
    deliver(db, books.stream, 99)
    verify(db, books.stream, 99)
    snapshot(operator)

    def script():
        return [s for s, in run(
            db, "SELECT ch.drop_day_script('command_log', %s, 'me', 'old')",
            day(db, 40)[0])]
    with pytest.raises(NOT_YET, match="archive is none"):
        script()
    archive(operator, "command_log", 40, 2)
    begin, detach, finish = script()
    assert "CONCURRENTLY" in detach
    run(db, begin)
    assert run(db, "SELECT actor, reason, before->'archive'->>'sha256' FROM "
               "audit_events WHERE action = 'begin_drop'") == [
        ("me", "old", SHA)]
    with pytest.raises(NOT_YET, match="still attached"):
        run(db, finish)
    run(db, detach)
    assert run(db, "SELECT break_key FROM check_log_seq") == []
    assert run(db, "SELECT attached, why_not FROM retention_status() WHERE "
               "table_name = 'command_log' AND day = %s", day(db, 40)[0]) == [
        (False, "partition is detached, needed is command_log_" +
         day(db, 40)[0].strftime("%Y%m%d"))]
    run(db, finish)
    assert not exists(db, "command_log", 40)
    for statement in (begin, finish):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            run(operator, statement)


def test_a_reader_that_stays_is_waited_for_without_queueing_the_writers(
        db, connect, operator, books):
    partition(db, "trades_public", 38)
    holder = connect("reader")
    run(holder, "BEGIN; SELECT count(*) FROM ch.trades_public")
    with pytest.raises(psycopg2.errors.LockNotAvailable) as said:
        drop(operator, "trades_public", 40, ", wait_ms => 500")
    assert "drop_day_script" in str(said.value)
    assert run(db, "SELECT lowest_day FROM retention WHERE table_name = "
               "'trades_public'") < [(day(db, 39)[0],)]
    # while it waits, a writer gets in between its attempts
    dropper = threading.Thread(target=drop, args=(
        operator, "trades_public", 40, ", wait_ms => 60000"))
    dropper.start()
    other = connect("owner")
    run(other, "SET lock_timeout = '10s'")
    for i in range(5):
        run(other, "INSERT INTO trades_public SELECT %s, now(), 'c', '1', 'w',"
            " 'BUY', '1', '1', '', 't', 's', 1, 1, 1", bytes([i]) * 32)
    run(holder, "COMMIT")
    dropper.join(60)
    assert not exists(db, "trades_public", 40)


def watch_looks(db, table):
    """Notes how often the days of a table were looked through, once the table
    is locked and at each drop."""
    run(db, "CREATE TABLE public.seen (at text, locked bool, part oid, "
            "scans int8)")
    run(db, f"""CREATE FUNCTION public.see(text) RETURNS void LANGUAGE sql
        SECURITY DEFINER AS $$ INSERT INTO public.seen SELECT $1, EXISTS (
            SELECT FROM pg_locks WHERE pid = pg_backend_pid() AND relation =
            'ch.{table}'::regclass AND mode = 'AccessExclusiveLock'),
            oid, pg_stat_get_xact_numscans(oid) FROM pg_class
            WHERE relname ~ '^{table}_[0-9]*$' $$""")
    types, = run(db, "SELECT ARRAY(SELECT t::regtype::text FROM "
                 "unnest(proargtypes::oid[]) t) FROM pg_proc "
                 "WHERE oid = 'ch.lock_to_detach'::regproc")[0]
    run(db, "ALTER FUNCTION ch.lock_to_detach RENAME TO lock_to_detach_so")
    run(db, f"""CREATE FUNCTION ch.lock_to_detach({", ".join(types)})
        RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM
        ch.lock_to_detach_so({", ".join(f"${n + 1}" for n in range(len(types)))});
        PERFORM public.see('lock'); END $$""")
    run(db, """CREATE FUNCTION public.see_drop() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
        PERFORM public.see(NEW.action); RETURN NEW; END $$""")
    run(db, "CREATE TRIGGER see BEFORE INSERT ON ch.audit_events "
            "FOR EACH ROW EXECUTE FUNCTION public.see_drop()")


@pytest.mark.parametrize("table", ["outbox", "postings", "rejected"])
def test_no_row_is_looked_at_while_the_table_is_locked(db, operator, books,
                                                       table):
    """How long a drop stops the writers does not depend on how many rows a day
    has, of two days neither: each look at rows is before the lock."""
    if table == "outbox":
        for ago in (40, 39):
            run(db, "INSERT INTO outbox (seq, id, aggregatetype, aggregateid, "
                "type, created_at) SELECT %s, gen_random_uuid(), 'a', 'b', "
                "'t', %s", ago, day(db, ago)[1])
    run(db, "INSERT INTO relay_progress (slot, streams, log_seqs, snapshot) "
        "VALUES ('ch_relay', %s, '{99}', pg_current_snapshot())",
        [books.stream])
    verify(db, books.stream, 99)
    run(db, "UPDATE reconcile_progress SET watermark = 99")
    run(db, "UPDATE retention SET keep_days = 38 WHERE table_name = 'postings'")
    snapshot(operator)
    rows = {"postings": 4, "rejected": 0}
    for ago in (40, 39):
        if table in rows:
            archive(operator, table, ago, rows[table])
    due = [day(db, 40)[0], day(db, 39)[0]]
    watch_looks(db, table)
    assert run(operator, "SELECT ch.drop_due_days(%s, 'me', 'old')",
               table) == [(d,) for d in due]
    assert not exists(db, table, 39)
    assert run(db, "SELECT at, bool_and(locked), count(DISTINCT part) >= 2 "
               "FROM public.seen GROUP BY at ORDER BY at DESC") == [
        ("lock", True, True), ("drop_day", True, True)]
    assert run(db, "SELECT part::regclass::text, min(scans), max(scans) FROM "
               "public.seen GROUP BY part HAVING min(scans) < max(scans)") == []


def test_days_are_kept_for_as_long_as_they_are_needed_at_least(db, operator):
    keep = "SELECT ch.set_keep_days(%s, %s, 'me', 'x'{})"
    for table, least in (("command_log", 8), ("answers", 8), ("rejected", 8),
                         ("outbox", 2), ("postings", 2), ("trades_public", 2)):
        for days in (least - 1, 0, None):
            for dry in ("", ", dry_run => true"):
                with pytest.raises(
                        psycopg2.errors.InvalidParameterValue, match=f"{table} "
                        f"is to be kept .* days, needed are {least} at least"):
                    run(operator, keep.format(dry), table, days)
        run(operator, keep.format(""), table, least)
    assert run(db, "SELECT keep_days = least_days FROM retention GROUP BY 1") \
        == [(True,)]


def test_a_relay_that_is_gone_for_good_is_forgotten(db, operator, books,
                                                    connect):
    forget = "SELECT ch.forget_slot(%s, 'me', 'INC-7'{})"
    deliver(db, books.stream, 2)
    deliver(db, books.stream, 1, "old")
    refused(operator, "command_log", 40, "slot old", "ch.forget_slot")
    with pytest.raises(psycopg2.errors.NoDataFound):
        run(operator, forget.format(""), "nobody")
    relay = connect("relay")
    run(relay, "SELECT pg_advisory_lock(17225, hashtext('old'))")
    with pytest.raises(NOT_YET, match="old is led by a relay .backend "
                       f"{relay.info.backend_pid}."):
        run(operator, forget.format(""), "old")
    run(relay, "SELECT pg_advisory_unlock_all()")
    name = "old_" + uuid.uuid4().hex
    deliver(db, books.stream, 1, name)
    run(relay, "SELECT pg_create_physical_replication_slot(%s)", name)
    try:
        with pytest.raises(NOT_YET, match="is there still") as said:
            run(operator, forget.format(""), name)
        assert "pg_drop_replication_slot" in str(said.value)
    finally:
        run(relay, "SELECT pg_drop_replication_slot(%s)", name)
    for dry in (", dry_run => true", ""):
        for slot in ("old", name):
            [(row,)] = run(operator, forget.format(dry), slot)
            assert (row["slot"], row["log_seqs"]) == (slot, [1])
    assert run(db, "SELECT slot FROM relay_progress") == [("ch_relay",)]
    assert run(db, "SELECT actor, subject, reason, before->'log_seqs' FROM "
               "audit_events WHERE action = 'forget_slot' ORDER BY event_id"
               ) == [("me", slot, "INC-7", [1]) for slot in ("old", name)]
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        run(relay, forget.format(""), "ch_relay")


def test_only_operators_drop(connect, db, books):
    for role in ("writer", "relay", "cache", "reader", "reconciler"):
        other = connect(role)
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            drop(other, "trades_public", 40)
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            run(other, "SELECT ch.drop_due_days('trades_public', 'me', 'x')")


def test_what_an_operator_did_by_hand_has_its_reason(db, operator, books):
    archive(operator, "command_log", 40, 2)
    archive(operator, "command_log", 40, 2, ", reason => 'the first was lost'")
    snapshot(operator)
    run(operator, "SELECT ch.verify_snapshot(1, 'me', reason => 'to be sure')")
    assert [r for r, in run(
        db, "SELECT reason FROM audit_events WHERE action IN ("
        "'record_archive', 'verify_snapshot') ORDER BY event_id")] == [
        "written to command_log.csv.gz", "the first was lost",
        "it agrees with the postings", "to be sure"]
    assert run(db, "SELECT 1 FROM audit_events WHERE action = "
               "'ensure_partition'") == []
    ahead = day(db, -2)[0]
    for made in (True, False):
        assert run(operator, "SELECT ch.ensure_partition('outbox', %s)",
                   ahead) == [(made,)]
    assert run(db, "SELECT actor, db_role, subject FROM audit_events WHERE "
               "action = 'ensure_partition'") == [
        ("ch_operator", "ch_operator", f"outbox_{ahead:%Y%m%d}")]
