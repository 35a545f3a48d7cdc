"""An account with shards takes fees from every partition at once: nobody waits
for anybody, the sums are right, and closing needs all of it."""

import threading

import ledger_oracle
from ledger_kit import Ledger, command, transfer

COMMANDS = 1500  # of each partition


class Sampler(threading.Thread):
    """Looks at pg_locks all the time; `waits`: what a writer waited for (but
    for pages that a table is extended by)."""

    def __init__(self, cell, database):
        super().__init__()
        self.db = cell.connect("superuser", database)
        self.database = database
        self.over = threading.Event()
        self.samples, self.busy, self.waits = 0, 0, []
        self.start()

    def run(self):
        cur = self.db.cursor()
        while not self.over.is_set():
            cur.execute("""
                SELECT l.locktype, l.relation::regclass::text, l.mode,
                    left(a.query, 60)
                FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                WHERE NOT l.granted AND a.usename = 'ch_writer'
                AND l.locktype <> 'extend' AND a.datname = %s
                AND NOT EXISTS (SELECT FROM pg_stat_activity v WHERE v.pid =
                    ANY (pg_blocking_pids(a.pid))
                    AND v.backend_type = 'autovacuum worker')""",
                        (self.database,))
            self.waits += cur.fetchall()
            cur.execute("SELECT count(*) FROM pg_stat_activity WHERE usename "
                        "= 'ch_writer' AND datname = %s AND state <> 'idle'",
                        (self.database,))
            self.busy += cur.fetchone()[0] > 1
            self.samples += 1

    def stop(self):
        self.over.set()
        self.join()
        self.db.close()
        return self.waits


def fees(ledger, writers, cell, database, to, enough):
    """The same transfers through both partitions, users of each its own, until
    the sampler has seen enough: how often, and what the writers waited for
    meanwhile."""
    users = [[f"u{p}{i}" for i in range(20)] for p in (0, 1)]
    sampler = Sampler(cell, database)
    turns = 0
    try:
        while not enough(sampler):
            turns += 1
            assert turns <= 20, (sampler.samples, sampler.busy)
            start = ledger.consumed()
            ledger.at_once(writers, *[
                (part, [transfer(users[part][i % 20], to, "0.01")
                        for i in range(COMMANDS)]) for part in (0, 1)])
            ledger.wait_consumed(start + 2 * COMMANDS, 120)
    finally:
        waits = sampler.stop()
    print(f"{to}: {turns} turns, {sampler.samples} samples, both busy in "
          f"{sampler.busy}, {len(waits)} waits")
    return turns, waits


def prepare(ledger):
    ledger.open_books()
    users = [f"u{p}{i}" for p in (0, 1) for i in range(20)]
    opens = [command("account.open", account=u, asset="USD") for u in users]
    opens += [command("account.open", account="fees", asset="USD", floor=None,
                      shards=2),
              command("account.open", account="plain", asset="USD",
                      floor=None)]
    ledger.send(*opens)
    for cmd in opens:
        assert ledger.answer(cmd)["status"] == "applied"
    fund = [transfer("house", u, "100.00") for u in users]
    ledger.send(*fund)
    for cmd in fund:
        assert ledger.answer(cmd)["status"] == "applied"


def test_two_writers_never_wait_for_each_other_at_an_account_with_shards(
        cell, database, kafka, db, daemons, tmp_path):
    """The same load into an account without shards is what the sampling is
    there to see."""
    ledger = Ledger(cell, kafka, db, database, daemons, partitions=2)
    writers = ledger.writers({"batch_records": 20}, {"batch_records": 20})
    prepare(ledger)
    turns, waits = fees(ledger, writers, cell, database, "fees",
                        lambda s: s.samples > 50 and s.busy > 5)
    assert waits == []
    fees(ledger, writers, cell, database, "plain", lambda s: s.waits)
    assert ledger.rows(
        "SELECT shard, balance FROM balances JOIN accounts USING (org_id, "
        "account_id) WHERE name = 'fees' ORDER BY shard") == [
            (0, turns * COMMANDS), (1, turns * COMMANDS)]
    ledger.check_books()
    ledger_oracle.assert_equal(ledger, tmp_path)


def test_closing_an_account_with_shards_takes_all_of_them(ledger, tmp_path):
    """Sums, not shards, must be nothing; a transfer through another partition
    at the same time comes before it or finds it closed."""
    ledger.writers({"batch_records": 3}, {"batch_records": 3})
    prepare(ledger)
    for turn in range(12):
        name = f"c{turn}"
        opened = command("account.open", account=name, asset="USD",
                         floor=None, shards=4)
        assert ledger.do(opened)["status"] == "applied"
        moves = []
        for part in range(4):
            moves += [transfer("u00", name, "1.00"),
                      transfer(name, "u01", "1.00")]
            ledger.send(moves[-2], partition=part)
            ledger.send(moves[-1], partition=(part + turn) % 4)
        for cmd in moves:
            assert ledger.answer(cmd)["status"] == "applied"
        close = command("account.close", account=name)
        late = [transfer("house", name, "1.00") for _ in range(4)]
        for part in range(4):
            if part == turn % 4:
                ledger.send(close, partition=part)
            ledger.send(late[part], partition=part)
        answers = [ledger.answer(c)["status"] for c in late]
        if ledger.answer(close)["status"] == "applied":
            assert set(answers) == {"account_closed"}, answers
            assert ledger.rows(
                "SELECT sum(balance)::int8, bool_and(closed), "
                "count(*) FROM balances JOIN accounts USING (org_id, "
                "account_id) WHERE name = %s", name) == [(0, True, 4)]
        else:
            assert ledger.answer(close)["status"] == "not_empty"
            assert "applied" in answers
    ledger.check_books()
    ledger_oracle.assert_equal(ledger, tmp_path)
