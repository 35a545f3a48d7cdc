"""`ledger-writer upkeep`: what is to be done each night, in one command."""

import datetime
import gzip
import hashlib
import re
import shlex

import pytest
import yaml

from harness.cell import ROOT
from ledger_console import Console
from ledger_kit import command, transfer, v7

WHO = ("--actor=cron", "--reason=nightly")
AGO = 40


@pytest.fixture
def console(ledger):
    ledger.writer()
    ledger.open_books()
    return Console(ledger)


@pytest.fixture
def day(ledger):
    """40 days ago; all tables were there already."""
    ledger.rows("UPDATE retention SET lowest_day = current_date - 60, "
                "first_day = current_date - 60 RETURNING 1")
    return (datetime.datetime.now(datetime.timezone.utc)
            - datetime.timedelta(days=AGO)).date()


def noon(day, number):
    at = datetime.datetime.combine(day, datetime.time(12),
                                   datetime.timezone.utc)
    return v7(int(at.timestamp() * 1000) + number)


def pay_on(ledger, day, count):
    """Transfers whose ids are of that day."""
    cmds = [{**transfer("house", "a", f"{n}.00"), "id": noon(day, n)}
            for n in range(1, count + 1)]
    ledger.send(*cmds)
    for cmd in cmds:
        assert ledger.answer(cmd)["status"] == "applied"


def move_to(ledger, table, column, day):
    """All rows of a table, as if they were of that day."""
    columns = [c for c, in ledger.rows(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass "
        "AND attnum > 0 ORDER BY attnum", table)]
    ledger.rows("SELECT ensure_partition(%s, %s)", table, day)
    moved = ", ".join(f"date '{day}' + time '12:00'" if c == column else c
                      for c in columns)
    assert ledger.rows(f"INSERT INTO {table} SELECT {moved} FROM {table} "
                       "RETURNING 1") != []


def trade_on(ledger, day, number):
    ledger.rows("SELECT ensure_partition('trades_public', %s)", day)
    ledger.rows(
        "INSERT INTO trades_public (trade_id, traded_at, condition_id, asset, "
        "wallet, side, price, size, tx_hash, source, stream, src_offset, "
        "batch) SELECT %s, %s::date + time '12:00', 'c', '1', 'w', 'BUY', '1',"
        " '1', '', 't', 1, %s, 1 RETURNING 1", bytes([number]) * 32, day,
        number)


def deliver_all(ledger):
    """As relay and reconciler would have it."""
    ledger.rows("INSERT INTO reconcile_streams (stream, verified) SELECT "
                "stream, next_log_seq - 1 FROM consumer_partitions "
                "RETURNING 1")
    ledger.rows("INSERT INTO relay_progress (slot, streams, log_seqs, "
                "snapshot) SELECT 'ch_relay', array_agg(stream), "
                "array_agg(next_log_seq), pg_current_snapshot() "
                "FROM consumer_partitions RETURNING 1")


def days(ledger, ago=31):
    """{table: [days older than so many]}"""
    old = {}
    for table, day in ledger.rows(
            "SELECT table_name, day FROM retention_status() WHERE day < "
            "current_date - %s ORDER BY 1, 2", ago):
        old.setdefault(table, []).append(day)
    return old


def actions(ledger):
    return [a for a, in ledger.rows(
        "SELECT action FROM audit_events WHERE actor = 'cron' AND "
        "reason <> '' ORDER BY event_id")]


def test_a_night(ledger, console, day, tmp_path):
    next_day = day + datetime.timedelta(days=1)
    pay_on(ledger, day, 20)
    pay_on(ledger, next_day, 5)
    ledger.send(("acme/x", "{"))
    assert ledger.do(command("stock.receive", sku="s", qty="0"))["status"] == \
        "invalid"
    ledger.wait_consumed(32)
    for table, column in (("answers", "decided_at"),
                          ("rejected", "decided_at"),
                          ("outbox", "created_at")):
        move_to(ledger, table, column, day)
    trade_on(ledger, day, 1)
    trade_on(ledger, next_day, 2)
    ledger.rows("INSERT INTO rate_windows SELECT 1, 1, x, '{1}', now() - "
                "interval '32 days' FROM unnest(ARRAY['a', 'b']) x "
                "RETURNING 1")
    all_days = {"answers": [day], "command_log": [day, next_day],
                "outbox": [day], "rejected": [day],
                "trades_public": [day, next_day]}
    assert days(ledger) == all_days
    run = ("upkeep", f"--into={tmp_path}", *WHO)

    # nothing is changed by looking, and what stays is named with its mending
    text = console.ok(*run, "--dry-run", status=2)
    assert f"{day} of command_log stays: delivered is no relay" in text
    assert "start outbox-relay" in text
    assert f"{next_day} of trades_public would be dropped" in text
    assert "2 rate windows would be dropped" in text
    assert days(ledger) == all_days and actions(ledger) == []
    assert ledger.value("SELECT count(*) FROM snapshots") == 0

    # what may go goes although something else may not
    text = console.ok(*run, status=2)
    assert "snapshot 1 agrees with the postings" in text
    assert f"{day} of command_log stays: delivered is no relay" in text
    assert f"{day} of command_log stays: no gap, says the reconciler is " \
        in text and "start the reconciler" in text
    assert text.count(" of command_log stays") == 2
    assert days(ledger) == {k: v for k, v in all_days.items()
                            if k != "trades_public"}
    assert ledger.value("SELECT count(*) FROM rate_windows") == 0
    assert actions(ledger) == [
        "take_snapshot", "verify_snapshot", "close_day", "drop_day",
        "close_day", "drop_day", "drop_quiet_windows"]
    assert list(tmp_path.iterdir()) == []

    deliver_all(ledger)
    text = console.ok(*run, status=2)
    assert f"{day} of rejected stays: letters is " in text
    assert days(ledger) == {"rejected": [day]}
    ledger.rows("INSERT INTO letter_states (letter_id, state) SELECT "
                "DISTINCT letter_id, 'discarded' FROM rejected RETURNING 1")
    assert console.ok(*run).endswith("upkeep is done\n")
    assert days(ledger) == {}
    files = {f"command_log_{day:%Y%m%d}.csv.gz",
             f"command_log_{next_day:%Y%m%d}.csv.gz",
             f"answers_{day:%Y%m%d}.csv.gz", f"rejected_{day:%Y%m%d}.csv.gz"}
    assert {p.name for p in tmp_path.iterdir()} == files
    assert dict(ledger.rows("SELECT file, sha256 FROM archives")) == {
        str(p): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in tmp_path.iterdir()}
    first = tmp_path / f"command_log_{day:%Y%m%d}.csv.gz"
    assert gzip.decompress(first.read_bytes()).count(b"\n") == 21
    # every step was audited, and an id of such a day is too old from now on
    assert ledger.value(
        "SELECT count(*) FROM audit_events WHERE action = 'drop_day' AND "
        "actor = 'cron' AND reason = 'nightly'") == 7
    late = {**transfer("house", "a", "1.00"), "id": noon(day, 999)}
    assert ledger.do(late)["status"] == "key_expired"
    # again: there is nothing to do but a snapshot
    before = len(actions(ledger))
    assert console.ok(*run).endswith("upkeep is done\n")
    assert actions(ledger)[before:] == ["take_snapshot", "verify_snapshot"]
    assert ledger.value("SELECT count(*) FROM health('x') WHERE NOT ok AND "
                        "name IN ('overdue_days', 'books_snapshot_seconds')"
                        ) == 0


def test_no_answer_shows_that_a_window_went(ledger, console, cell, tmp_path):
    """Of x nothing was heard for 32 days, of y for 30: y's window stays. Both
    are answered alike, and alike by a replay that has both windows; after a
    longer window of the rule too."""
    rule = ("SELECT set_rate_rule('few', NULL, 'actor', '{transfer.post}', 3, "
            "%s, 1, 'me', 'x')")
    ledger.rows(rule, "1 hour")
    ledger.rows(
        "INSERT INTO rate_windows SELECT o.org_id, r.rule_id, v.subject, "
        "array_fill((extract(epoch FROM v.at) * 1000000)::int8, ARRAY[2]), "
        "v.at FROM orgs o, rate_rules r, (VALUES "
        "('x', now() - interval '32 days'), "
        "('y', now() - interval '30 days')) v (subject, at) RETURNING 1")
    console.ok("upkeep", f"--into={tmp_path}", *WHO)
    assert ledger.rows("SELECT subject FROM rate_windows") == [("y",)]

    def spend(actor):
        return ledger.do(transfer("house", "a", "1.00", actor=actor))

    def shown(answer):
        return answer["status"], {
            k: v for k, v in answer["rate"].items() if k != "reset"}
    for count in range(4):
        x, y = spend("x"), spend("y")
        assert x["status"] == ("applied" if count < 3 else "rate_limited")
        assert shown(x) == shown(y), (x, y)
    ledger.rows(rule, "29 days")
    assert shown(spend("x")) == shown(spend("y"))
    db = cell.connect("superuser", ledger.database)
    with db.cursor() as cur:
        cur.execute(f"GRANT CREATE ON DATABASE {ledger.database} TO "
                    "ch_operator")
    db.close()
    ledger.rows("INSERT INTO rate_windows SELECT o.org_id, r.rule_id, s, "
                "'{1}', now() - interval '33 days' FROM orgs o, rate_rules r, "
                "unnest(ARRAY['z', 'nobody']) s RETURNING 1")
    console.ok("snapshot", *WHO, "--verify")
    console.ok("upkeep", f"--into={tmp_path}", *WHO)
    assert ledger.value("SELECT count(*) FROM rate_windows") == 2
    spend("z")
    # the first snapshot has x, the second z and one that is not heard of
    # again: the books had none of them
    for snapshot in (1, 2):
        text = console.ok("replay", f"--into=from{snapshot}",
                          f"--from={snapshot}")
        assert "equal: " in text, text


def test_of_old_snapshots_a_week_stays(ledger, console, tmp_path):
    for _ in range(6):
        console.ok("snapshot", *WHO, "--verify")
    console.ok("snapshot", *WHO)  # not verified
    run = ("upkeep", f"--into={tmp_path}", *WHO)
    console.ok(*run)

    def left():
        return [i for i, in ledger.rows("SELECT snapshot_id FROM snapshots "
                                        "ORDER BY 1")]
    assert left() == list(range(1, 9))
    assert "would be dropped" not in console.ok(*run, "--dry-run")
    assert "snapshot 1 was dropped" in console.ok(*run)
    assert left() == list(range(2, 10))
    assert ledger.value("SELECT reason FROM audit_events WHERE action = "
                        "'drop_snapshot'") == "nightly"


def test_books_that_do_not_agree_lose_nothing(
        ledger, console, day, cell, tmp_path):
    trade_on(ledger, day, 1)
    db = cell.connect("superuser", ledger.database)
    with db.cursor() as cur:
        cur.execute("UPDATE balances SET balance = balance + 1")
    db.close()
    text = console.ok("upkeep", f"--into={tmp_path}", *WHO, status=2)
    assert "DOES NOT AGREE" in text and "upkeep is done" not in text
    assert days(ledger) == {"trades_public": [day]}


def test_it_wants_to_know_where_who_and_why(ledger, tmp_path):
    console = Console(ledger)
    for words in ((), WHO, (f"--into={tmp_path}", "--actor=me"),
                  (f"--into={tmp_path}/none", *WHO),
                  (f"--into={tmp_path}", *WHO, "word")):
        assert console.run("upkeep", *words).returncode == 64
    assert ledger.value("SELECT count(*) FROM snapshots") == 0
    # no other role does any of it
    other = Console(ledger, "reader")
    ran = other.run("upkeep", f"--into={tmp_path}", *WHO)
    assert ran.returncode == 1 and "permission denied" in ran.stderr


def shown_schedules():
    """The commands that compose.yaml and the operators' page give to a timer:
    the words behind the program's name."""
    job = yaml.safe_load((ROOT / "deploy/compose/compose.yaml").read_text())[
        "services"]["upkeep"]
    yield "compose.yaml", job["command"]
    line, = re.findall(r"^17 3 .* ledger-writer (upkeep .*)$",
                       (ROOT / "docs/operator.md").read_text(), re.MULTILINE)
    yield "operator.md", shlex.split(line)


@pytest.mark.parametrize("where, words", shown_schedules())
def test_the_schedules_that_we_show_work(ledger, console, day, tmp_path,
                                         where, words):
    words = [f"--into={tmp_path}" if w == "--into=/archive" else w
             for w in words if not w.startswith("--database-url=")]
    assert f"--into={tmp_path}" in words
    trade_on(ledger, day, 1)
    assert console.ok(*words).endswith("upkeep is done\n")
    assert days(ledger) == {}
    # the snapshot is taken and verified, the day is closed and dropped
    assert ledger.value("SELECT count(*) FROM audit_events WHERE actor = "
                        "'upkeep' AND reason = 'nightly'") == 4
