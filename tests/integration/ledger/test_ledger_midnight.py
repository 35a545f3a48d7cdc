"""A midnight UTC under load, tomorrow's partitions missing: PostgreSQL and the
writers live by a clock that the test lets come to it."""

import datetime
import os
import pathlib
import random
import re
import tempfile
import time

import ledger_kit
import ledger_oracle
import pytest
from harness.wait import until
from ledger_feeding import Feeding
from ledger_kit import Ledger, clock_shim, command, public_trade
from ledger_random import Load

SEED = int(os.environ.get("SEED") or random.randrange(1 << 32))
DAY = 86400


class Night:
    """The clock of a server and of its writers, an hour before midnight until
    it is let come."""

    def __init__(self, server_of, cell, path, monkeypatch):
        self.monkeypatch = monkeypatch
        self.midnight = (time.time() // DAY + 1) * DAY
        self.day = datetime.datetime.fromtimestamp(
            self.midnight, datetime.timezone.utc).date()
        # where PostgreSQL's user can reach it
        self.skew = path / "skew"
        self.stand_before(3600)
        self.env = clock_shim(path, SKEW_FILE=str(self.skew))
        self.server = server_of(cell, env={**self.env, "SKEW_SERVER": "1"})

    def stand_before(self, seconds):
        ahead = int(self.midnight - seconds - time.time())
        self.monkeypatch.setattr(ledger_kit, "ahead", ahead)
        # in its place: whoever has it open keeps it
        with open(self.skew, "r+b" if self.skew.exists() else "wb",
                  buffering=0) as out:
            out.write(b"%+12d\n" % ahead)

    def drop_tomorrow(self, ledger):
        """Every table's partition of the day that begins."""
        tables = [row[0] for row in ledger.rows(
            "SELECT table_name FROM retention ORDER BY 1")]
        for table in tables:
            ledger.db.cursor().execute(f"DROP TABLE {self.child(table)}")
        return tables

    def child(self, table):
        return f"{table}_{self.day:%Y%m%d}"

    def missing(self, ledger, tables):
        return [t for t in tables if ledger.value(
            "SELECT to_regclass(%s) IS NULL", self.child(t))]

    def count(self, ledger, table, column, sign):
        return ledger.value(
            f"SELECT count(*) FROM {table} WHERE {column} {sign} "
            f"timestamptz '{self.day} 00:00+00'")


@pytest.fixture
def night(server_of, cell, monkeypatch):
    with tempfile.TemporaryDirectory(prefix="ch-night-", dir="/tmp") as made:
        path = pathlib.Path(made)
        path.chmod(0o755)
        yield Night(server_of, cell, path, monkeypatch)


def prepare(ledger):
    print(f"SEED={SEED}")
    load, total = Load(SEED), 0
    for step in load.setup():
        ledger.send(*step)
        total += len(step)
        ledger.wait_consumed(total)
    return load, total + rarities(ledger, total)


def rarities(ledger, sent):
    """One row in each table that the random load fills seldom, wherever
    midnight falls in it. Tells how many records that took."""
    first = command("transfer.post", org="acme", moves=[
        {"from": "house", "to": "u0", "amount": "0.01"}])
    ledger.send(first, {**first, "actor": "somebody else"}, ("acme/x", "{"))
    ledger.wait_consumed(sent + 3, 120)
    return 3


def judge(night, ledger, path, writers):
    """As if there had been no midnight, and nobody was taken for poison."""
    for table in ("command_log", "answers", "rejected", "postings"):
        for sign in ("<", ">="):
            assert night.count(ledger, table, "decided_at", sign) > 0, table
    for sign in ("<", ">="):
        assert night.count(ledger, "outbox", "created_at", sign) > 0
    assert ledger.rows("SELECT * FROM rejected WHERE error_class = 'poison'"
                       ) == []
    print(ledger_oracle.assert_equal(ledger, path))
    ledger.check_books()
    for writer in writers:
        writer.wait_ready()
        assert writer.metric("ledger_retries_total", reason="rows") == 0


def test_the_writers_make_what_is_missing_and_go_on(night, kafka, daemons,
                                                    tmp_path):
    """Two of them at the same midnight, and one for trades."""
    ledger = Ledger.on(night.server, kafka, daemons)
    writers = ledger.writers({"env": night.env}, {"env": night.env})
    trader = ledger.writer(env=night.env, client_id="trader",
                           group=ledger.group + ".trades",
                           commands_topics="", fills_topics="")
    load, total = prepare(ledger)
    kafka.produce(ledger.trades, [public_trade(n) for n in range(100)])
    ledger.wait_consumed(100, topic=ledger.trades)
    feeding = Feeding(ledger, load, total, 60, 0.02)
    until(lambda: ledger.consumed() > total + 300, 90, "progress")
    made = [w.metric("ledger_table_partitions_made_total")
            for w in (*writers, trader)]
    tables = night.drop_tomorrow(ledger)
    assert set(night.missing(ledger, tables)) == set(tables) >= {
        "command_log", "answers", "rejected", "outbox", "postings",
        "trades_public"}
    night.stand_before(4)
    until(lambda: night.count(ledger, "command_log", "decided_at", ">=")
          > 300, 90, "the new day's commands")
    kafka.produce(ledger.trades, [public_trade(n) for n in range(100, 200)])
    ledger.wait_consumed(200, topic=ledger.trades)
    total = feeding.finish()
    rarities(ledger, total)
    for sign in ("<", ">="):
        assert night.count(ledger, "trades_public", "traded_at", sign) == 100
    assert night.missing(ledger, tables) == []
    until(lambda: sum(w.metric("ledger_table_partitions_made_total")
                      for w in (*writers, trader)) > sum(made), 60, "counted")
    until(lambda: re.search(
        rf"event=partition.made .*day={night.day}", "".join(
            w.logged() for w in (*writers, trader))), 60, "the log")
    judge(night, ledger, tmp_path, (*writers, trader))


def test_a_writer_without_the_right_waits_names_it_and_goes_on(
        night, kafka, daemons, tmp_path):
    ledger = Ledger.on(night.server, kafka, daemons)
    ledger.db.cursor().execute(
        "REVOKE EXECUTE ON FUNCTION ensure_partition, ensure_partitions "
        "FROM ch_writer")
    writer = ledger.writer(env=night.env, health_every="1s")
    load, total = prepare(ledger)
    feeding = Feeding(ledger, load, total, 60, 0.02)
    until(lambda: ledger.consumed() > total + 300, 90, "progress")
    joined = writer.logged().count("event=kafka.rebalance")
    tables = night.drop_tomorrow(ledger)
    until(lambda: all(writer.metric("ledger_missing_table_partitions",
                                    table=t) >= 1 for t in tables),
          60, "the metric names every table while it is still the day before")
    night.stand_before(4)

    def readyz():
        return writer.get("/readyz?verbose")[1]
    until(lambda: re.search(r"\[-\]batches.*no partition of relation",
                            readyz()), 90, "it waits, and /readyz says why")
    told = until(lambda: re.search(
        r"event=partition.not_made .*", writer.logged()), 60, "the log")[0]
    table = re.search(r"table=(\w+)", told)[1]
    assert table in tables
    assert f"day={night.day}" in told, told
    assert f"ensure_partition('{table}', '{night.day}')" in told, told
    assert "permission denied" in told
    until(lambda: writer.metric("ledger_retries_total",
                                reason="partition_missing"), 60, "counted")
    assert night.missing(ledger, tables) == tables
    # what was before midnight may still come; behind it nothing does
    stuck = until(lambda: settled(ledger), 60, "it stands still")
    begun = time.monotonic()
    until(lambda: time.monotonic() - begun > 7, 30, "more than a session")
    sent = feeding.finish()
    assert stuck < sent
    assert writer.running()
    assert writer.logged().count("event=kafka.rebalance") == joined
    # the mending that the log told, table by table
    for each in tables:
        ledger.db.cursor().execute("SELECT ensure_partition(%s, %s)",
                                   (each, night.day))
    last = command("stock.receive", org="acme", sku="s0", qty="1")
    ledger.send(last)
    ledger.wait_consumed(sent + 1, 120)
    assert ledger.answer(last)["status"] == "applied"
    rarities(ledger, sent + 1)
    judge(night, ledger, tmp_path, [writer])


def settled(ledger):
    """What is consumed, once that does not change from look to look."""
    seen = {ledger.consumed()}
    for _ in range(3):
        until(lambda: len(ledger.kafka.read(ledger.topic)) > 0, 30)
        seen.add(ledger.consumed())
    return seen.pop() if len(seen) == 1 else None
