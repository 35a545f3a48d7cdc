"""Snapshots, archives and dropped days by ledger-writer's commands: each is
refused while something stands against it, and then done."""

import csv
import datetime
import gzip
import hashlib
import io
import json
import re
import time

import pytest

from ledger_console import Console
from ledger_kit import command, transfer, v7

WHO = ("--actor=me", "--reason=a test")
AGO = 40


@pytest.fixture
def console(ledger, cell, database):
    db = cell.connect("superuser", database)
    with db.cursor() as cur:
        cur.execute(f"GRANT CREATE ON DATABASE {database} TO ch_operator")
    db.close()
    return Console(ledger)


@pytest.fixture
def day(ledger):
    """The day of some ids that are 40 days old, and are kept so long."""
    old = (datetime.datetime.now(datetime.timezone.utc)
           - datetime.timedelta(days=AGO)).date()
    ledger.rows("UPDATE retention SET lowest_day = %s, first_day = %s "
                "WHERE table_name = 'command_log' RETURNING 1", old, old)
    ledger.rows("SELECT ensure_partition('command_log', %s)", old)
    return old


def old(cmd, at=[0]):
    """The same command under an id of 40 days ago."""
    at[0] += 1
    noon = int(time.time() // 86400 - AGO) * 86400000 + 43200000
    return {**cmd, "id": v7(noon + at[0])}


def test_a_snapshot(ledger, console, cell):
    ledger.writer()
    ledger.open_books()
    text = console.ok("snapshot", *WHO, "--dry-run")
    assert text.startswith("would be copied") and "accounts " in text
    assert ledger.value("SELECT count(*) FROM snapshots") == 0
    text = console.ok("snapshot", *WHO, "--verify")
    assert "snapshot 1\n" in text and "agrees with the postings" in text
    assert f"  vector     {ledger.topic}/0 offset " in text
    assert "balances " in text and " s\n" in text.splitlines()[0] + "\n"
    assert ledger.rows("SELECT actor, reason, verified_by FROM snapshots") \
        == [("me", "a test", "me")]
    assert console.run("snapshot", "--actor=me").returncode == 64
    # one that does not agree with the postings stays unverified
    ledger.do(transfer("house", "a", "1.00"))
    db = cell.connect("superuser", ledger.database)
    with db.cursor() as cur:
        cur.execute("UPDATE balances SET balance = balance + 1 WHERE "
                    "account_id = (SELECT account_id FROM accounts WHERE "
                    "name = 'a')")
    db.close()
    text = console.ok("snapshot", *WHO, "--verify", status=2)
    assert "DOES NOT AGREE" in text
    assert "balance of acme a: should be 100, is 101" in text
    assert ledger.value("SELECT count(*) FROM snapshots "
                        "WHERE verified_at IS NULL") == 1
    text = console.ok("snapshot", "1", "--verify", "--from-nothing",
                      "--actor=me")
    assert "snapshot 1 agrees" in text


def verify_all(ledger):
    """As the reconciler would have it."""
    ledger.rows("INSERT INTO reconcile_streams AS r (stream, verified) SELECT "
                "stream, next_log_seq - 1 FROM consumer_partitions "
                "ON CONFLICT (stream) DO UPDATE SET verified = "
                "excluded.verified RETURNING 1")


def test_a_day_is_archived_and_dropped(ledger, console, day, tmp_path, cell):
    ledger.writer()
    ledger.open_books()
    cmds = [old(transfer("house", "a", f"{n}.00", ref="a \"b\", c"))
            for n in range(1, 30)]
    ledger.send(*cmds)
    for cmd in cmds:
        assert ledger.answer(cmd)["status"] == "applied"
    which = ("--table=command_log", f"--day={day}")

    text = console.ok("drop-day", *which, *WHO, "--dry-run", status=2)
    assert "ok   day" in text and "NO   delivered" in text
    assert "start outbox-relay" in text and "NO   archive" in text
    assert f"{day} of command_log stays" in text
    ran = console.run("drop-day", *which, *WHO)
    assert ran.returncode == 2 and "start outbox-relay" in ran.stderr
    assert ran.stdout == text  # and all others that stand against it

    ledger.rows("INSERT INTO relay_progress (slot, streams, log_seqs) "
                "SELECT 'ch_relay', array_agg(stream), array_agg(next_log_seq) "
                "FROM consumer_partitions RETURNING 1")
    text = console.ok("drop-day", *which, *WHO, "--dry-run", status=2)
    assert "never seen" in text and "start the reconciler" in text
    verify_all(ledger)
    console.ok("snapshot", *WHO, "--verify")
    assert f"would write 29 rows to {tmp_path}" in console.ok(
        "archive", *which, f"--into={tmp_path}", *WHO, "--dry-run")
    assert list(tmp_path.iterdir()) == []
    today = datetime.date.today()
    ran = console.run("archive", "--table=command_log", f"--day={today}",
                      f"--into={tmp_path}", *WHO)
    assert ran.returncode == 2 and "still written" in ran.stderr
    assert (f"can be archived from {today + datetime.timedelta(days=2)} 00:00"
            in ran.stderr)
    ran = console.run("archive", "--table=command_log", "--day=2020-01-01",
                      f"--into={tmp_path}", *WHO)
    assert ran.returncode == 2 and "ch.retention_status()" in ran.stderr
    ran = console.run("archive", *which, f"--into={tmp_path}/no", *WHO)
    assert ran.returncode == 64 and f"mkdir -p {tmp_path}/no" in ran.stderr
    assert list(tmp_path.iterdir()) == []

    text = console.ok("archive", *which, f"--into={tmp_path}", *WHO)
    path = tmp_path / f"command_log_{day:%Y%m%d}.csv.gz"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert f"{path}: 29 rows, " in text and f"sha256 {digest}" in text
    rows = list(csv.DictReader(io.StringIO(
        gzip.decompress(path.read_bytes()).decode())))
    assert {r["id"] for r in rows} == {c["id"] for c in cmds}
    assert rows[0]["ref"] == "a \"b\", c"
    assert ledger.rows("SELECT file, sha256, row_count, actor, read_back_by, "
                       "read_back_at >= at FROM archives") == [
        (str(path), digest, 29, "me", "me", True)]
    assert ledger.rows(
        "SELECT actor, reason, after->>'sha256' FROM audit_events "
        "WHERE action = 'record_archive'") == [("me", "a test", digest)]

    # the same rows again: the same bytes, nothing new
    assert "byte for byte" in console.ok(
        "archive", *which, f"--into={tmp_path}", *WHO)
    assert ledger.value("SELECT count(*) FROM archives") == 1
    # a file of another content stays as it is
    other = tmp_path / "other"
    other.mkdir()
    (other / path.name).write_bytes(b"something else")
    ran = console.run("archive", *which, f"--into={other}", *WHO)
    assert ran.returncode == 2 and "another digest" in ran.stderr
    assert (other / path.name).read_bytes() == b"something else"
    # a row that comes later has no place in the archive that there is
    late = old(transfer("house", "a", "0.01"))
    assert ledger.do(late)["status"] == "applied"
    ledger.rows("UPDATE relay_progress SET log_seqs = (SELECT array_agg("
                "next_log_seq) FROM consumer_partitions), streams = (SELECT "
                "array_agg(stream) FROM consumer_partitions) RETURNING 1")
    verify_all(ledger)
    console.ok("snapshot", *WHO, "--verify")
    ran = console.run("drop-day", *which, *WHO)
    assert ran.returncode == 2 and "rows came after" in ran.stderr
    more = tmp_path / "more"
    more.mkdir()
    ran = console.run("archive", *which, f"--into={more}", *WHO)
    assert ran.returncode == 2 and "--again" in ran.stderr
    assert list(more.iterdir()) == []
    assert "archive 2" in console.ok("archive", *which, f"--into={more}",
                                     "--again", *WHO)

    assert "may be dropped" in console.ok("drop-day", *which, *WHO,
                                          "--dry-run")
    back = command("transfer.reverse", transfer=cmds[3]["id"])
    assert ledger.do(back)["status"] == "applied"
    assert "was dropped" in console.ok("drop-day", *which, *WHO)
    assert ledger.value("SELECT to_regclass(%s)",
                        f"ch.command_log_{day:%Y%m%d}") is None
    # what was dropped is missed by a replay from the beginning, and only there
    ran = console.run("replay", "--into=whole")
    assert ran.returncode == 2 and f"command_log_{day:%Y%m%d}" in ran.stderr
    assert str(more / path.name) in ran.stderr
    ledger.do(transfer("a", "house", "2.00"))
    # what was reversed since the snapshot was a transfer of that day
    text = console.ok("replay", "--into=rest", "--from=2", status=2)
    assert f"answer of {back['id']} (transfer.reverse" in text
    assert '"status":"transfer_not_found"' in text
    assert "equal: " in console.ok("replay", "--into=restored", "--from=2",
                                   f"--archives={more}")
    ran = console.run("replay", "--into=older", "--from=1")
    assert ran.returncode == 2 and "later snapshot" in ran.stderr
    # with its file it is read as if it were there
    ran = console.run("replay", "--into=none", f"--archives={tmp_path}")
    assert ran.returncode == 1 and "recorded is" in ran.stderr
    text = console.ok("replay", "--into=all", f"--archives={more}")
    assert f"from {more / path.name}, 30 rows" in text and "equal: " in text
    assert "equal: " in console.ok("replay", "--into=first", "--from=1",
                                   f"--archives={more}")
    # its columns are those of its time: the log has been given some since
    owner = cell.connect("owner", ledger.database)
    owner.cursor().execute("ALTER TABLE command_log ADD note text, "
                           "ADD many int4 NOT NULL DEFAULT 3")
    owner.close()
    text = console.ok("replay", "--into=wider", f"--archives={more}")
    assert f"from {more / path.name}, 30 rows" in text and "equal: " in text
    with cell.connect("operator", ledger.database).cursor() as cur:
        cur.execute("SELECT DISTINCT note, many FROM wider.archived_log")
        assert cur.fetchall() == [(None, 3)]
    # and an id of it is explained
    text = console.explain(cmds[0]["id"], status=2)
    assert "key_expired" in text and str(path) in text


TIMES = {"answers": "decided_at", "rejected": "decided_at",
         "outbox": "created_at", "postings": "decided_at",
         "trades_public": "traded_at"}


def fill(ledger):
    """At least one row of today in each table but command_log, which has
    more."""
    ledger.writer()
    ledger.open_books()
    ledger.do(transfer("house", "a", "1.00"))
    ledger.send(("acme/x", "{"), ("acme/x", json.dumps(
        command("transfer.post", moves="all"))))
    ledger.wait_consumed(8)
    ledger.rows(
        "INSERT INTO trades_public (trade_id, traded_at, condition_id, asset, "
        "wallet, side, price, size, tx_hash, source, stream, src_offset, "
        "batch) SELECT decode(lpad(to_hex(i), 64, '0'), 'hex'), now(), "
        "'a, \"b\"', '123456789012345678901234567890', 'w', 'BUY', '0.50', "
        "'1e-3', '', 't', 1, i, 1 FROM generate_series(1, 3) i RETURNING 1")


def move(ledger, table, day):
    """The rows of today again, as if they were of that day; how many."""
    columns = [c for c, in ledger.rows(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass "
        "AND attnum > 0 ORDER BY attnum", table)]
    ledger.rows(f"UPDATE retention SET lowest_day = '{day}' "
                f"WHERE table_name = '{table}' RETURNING 1")
    ledger.rows("SELECT ensure_partition(%s, %s)", table, day)
    moved = ", ".join(f"date '{day}' + time '12:00'" if c == TIMES[table]
                      else c for c in columns)
    count = len(ledger.rows(f"INSERT INTO {table} SELECT {moved} FROM "
                            f"{table} RETURNING 1"))
    assert count > 0, table
    return columns, count


def test_every_table_has_an_archive(ledger, console, day, tmp_path):
    fill(ledger)
    today = datetime.datetime.now(datetime.timezone.utc).date()
    for table in TIMES:
        text = console.run("archive", f"--table={table}", f"--day={today}",
                           f"--into={tmp_path}", *WHO).stderr
        assert "still written" in text, (table, text)
        columns, count = move(ledger, table, day)
        assert f"{count} rows" in console.ok(
            "archive", f"--table={table}", f"--day={day}",
            f"--into={tmp_path}", *WHO)
        path = tmp_path / f"{table}_{day:%Y%m%d}.csv.gz"
        lines = list(csv.reader(io.StringIO(gzip.decompress(
            path.read_bytes()).decode())))
        assert lines[0] == columns and len(lines) == count + 1
        # the same rows are the same bytes, whenever they are written
        first = path.read_bytes()
        path.unlink()
        assert "recorded before" in console.ok(
            "archive", f"--table={table}", f"--day={day}",
            f"--into={tmp_path}", *WHO)
        assert path.read_bytes() == first
        assert ledger.value("SELECT count(*) FROM archives WHERE table_name = "
                            "%s", table) == 1
    kept = dict(zip(columns, lines[1]))  # trades_public: verbatim
    assert (kept["condition_id"], kept["asset"], kept["price"],
            kept["size"]) == ('a, "b"', "123456789012345678901234567890",
                              "0.50", "1e-3")
    assert console.run("archive", "--table=accounts", f"--day={day}",
                       f"--into={tmp_path}", *WHO).returncode == 64


def test_every_table_drops_its_day(ledger, console, day, tmp_path):
    """Each with the conditions that it has, and with its own effect."""
    fill(ledger)
    for table in TIMES:
        move(ledger, table, day)
    ledger.rows("SELECT set_keep_days('postings', %s, 'me', 'a test')",
                AGO - 1)

    def drop(table, *more, status=0):
        return console.ok("drop-day", f"--table={table}", f"--day={day}",
                          *WHO, *more, status=status)

    def stands_against(table):
        """The conditions that do not hold."""
        return set(re.findall(r"^  NO +(.*?)  ", drop(
            table, "--dry-run", status=2), re.MULTILINE))
    assert stands_against("answers") == {
        "delivered", "no gap, says the reconciler", "archive"}
    assert stands_against("rejected") == {
        "delivered", "no gap, says the reconciler", "letters", "archive"}
    assert stands_against("outbox") == {"delivered"}
    assert stands_against("postings") == {"summed by the reconciler",
                                          "snapshot", "archive"}
    # trades need nothing but their age
    assert "may be dropped" in drop("trades_public", "--dry-run")
    for table in TIMES:
        assert ledger.value("SELECT to_regclass(%s) IS NOT NULL",
                            f"ch.{table}_{day:%Y%m%d}")

    ledger.rows("INSERT INTO relay_progress (slot, streams, log_seqs, "
                "snapshot) SELECT 'ch_relay', array_agg(stream), "
                "array_agg(next_log_seq), pg_current_snapshot() "
                "FROM consumer_partitions RETURNING 1")
    verify_all(ledger)
    ledger.rows("INSERT INTO letter_states (letter_id, state) SELECT DISTINCT "
                "letter_id, 'discarded' FROM rejected RETURNING 1")
    # as if the postings had been there twice: so the balances, too
    ledger.rows("UPDATE balances b SET balance = p.sum FROM (SELECT "
                "account_id, sum(amount) FROM postings GROUP BY 1) p "
                "WHERE p.account_id = b.account_id RETURNING 1")
    ledger.rows("UPDATE reconcile_progress SET watermark = (SELECT "
                "max(batch) FROM postings) RETURNING 1")
    console.ok("snapshot", *WHO, "--verify")
    for table in ("answers", "rejected", "postings"):
        assert stands_against(table) == {"archive"}
        console.ok("archive", f"--table={table}", f"--day={day}",
                   f"--into={tmp_path}", *WHO)
    for table in TIMES:
        rows = ledger.value(f"SELECT count(*) FROM {table}")
        assert f"{day} of {table} was dropped" in drop(table)
        assert 0 < ledger.value(f"SELECT count(*) FROM {table}") < rows
        assert ledger.value("SELECT to_regclass(%s)",
                            f"ch.{table}_{day:%Y%m%d}") is None
        assert ledger.value("SELECT lowest_day > %s FROM retention WHERE "
                            "table_name = %s", day, table)
        assert ledger.rows(
            "SELECT actor, reason FROM audit_events WHERE action = 'drop_day' "
            "AND subject = %s", f"{table}_{day:%Y%m%d}") == [("me", "a test")]
    assert ledger.rows("SELECT break_key FROM check_balances") == []
    assert ledger.value("SELECT count(*) FROM sealed_postings") > 0
