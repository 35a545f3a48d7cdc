"""Through real Kafka and PostgreSQL, by two writers at once: every answer,
posting, event and row equals the serial model run in the log's order.

SEED= and COMMANDS= (default 20000) choose the load; both are printed."""

import os
import random

import ledger_oracle
from harness.wait import until
from ledger_checker import faults_of
from ledger_feed import Feed
from ledger_kit import command, transfer

SEED = int(os.environ.get("SEED") or random.randrange(1 << 32))
COMMANDS = int(os.environ.get("COMMANDS") or 20000)
AHEAD = 3000  # records that may wait: deadlines are as the writers see them


def feed(ledger, count, between=lambda turn: None, pieces=50,
         ending=lambda more: None, **flags):
    """Sends in pieces of all sizes, so that batches of all sizes form.
    ending(more): more(n) sends n and waits until they are consumed."""
    rng = random.Random(SEED)
    sizes = [rng.randint(1, 2 * (count // pieces)) for _ in range(pieces)]
    with Feed(ledger.kafka.bootstrap, ledger.topic, SEED, **flags) as made:
        ledger.wait_consumed(made.begin())
        for turn, size in enumerate(sizes):
            sent = made.send(size)
            between(turn)
            until(lambda: ledger.consumed() >= sent - AHEAD, 120,
                  f"{sent - AHEAD} records consumed")
        ledger.wait_consumed(made.send(max(0, count - made.sent)), 180)
        ending(lambda n: ledger.wait_consumed(made.send(n), 180))
        return made.sent


def told(ledger, sent, summary, *writers):
    statuses = dict(ledger.rows(
        "SELECT status, count(*) FROM command_log GROUP BY 1 UNION ALL "
        "SELECT 'answer ' || status, count(*) FROM answers GROUP BY 1"))
    timers = dict(ledger.rows("SELECT type, count(*) FROM command_log "
                              "WHERE source = 'timer' GROUP BY 1"))
    retries = {}
    for writer in writers:
        for line in writer.get("/metrics")[1].splitlines():
            if line.startswith("ledger_retries_total{"):
                reason = line.split('"')[1]
                retries[reason] = (retries.get(reason, 0)
                                   + int(float(line.split()[-1])))
    # nothing that is decided may be more than a CHECK lets pass
    assert retries.get("rows", 0) == 0, retries
    # the checker of `make run` knows every family, too
    assert faults_of(ledger.db) == []
    deadlocks = ledger.value("SELECT deadlocks FROM pg_stat_database WHERE "
                             "datname = current_database()")
    print(f"SEED={SEED} {sent} records; {summary}; timers {timers}; "
          f"retries {retries}; deadlocks {deadlocks}; "
          f"batches {ledger.value('SELECT count(DISTINCT batch) FROM command_log')}; "
          f"statuses {statuses}")
    return statuses, timers


def test_two_writers_on_four_partitions_equal_the_serial_model(
        ledger, tmp_path):
    print(f"SEED={SEED} COMMANDS={COMMANDS}")
    writers = ledger.writers({"batch_records": 700}, {"batch_records": 90})
    sent = feed(ledger, COMMANDS)
    ledger.check_books()
    summary = ledger_oracle.assert_equal(ledger, tmp_path)
    statuses, timers = told(ledger, sent, summary, *writers)
    if COMMANDS >= 20000:
        assert len(statuses) >= 40, statuses
        assert set(timers) == {"hold.expire", "reservation.expire",
                               "market.pay"}, timers


def test_one_writer_finds_whatever_was_made_before(ledger, tmp_path):
    """Nothing is at the same time, so no absence needs to be believed."""
    writer = ledger.writer(batch_records=40)
    sent = feed(ledger, COMMANDS // 8)
    summary = ledger_oracle.assert_equal(ledger, tmp_path)
    told(ledger, sent, summary, writer)
    assert summary["absent"] == 0, summary


def test_small_batches_that_meet_everywhere_equal_the_model(
        ledger, tmp_path):
    """Large batches share the hot rows and so wait for each other whole; these
    run side by side, and meet on ids and names instead."""
    writers = ledger.writers({"batch_records": 2}, {"batch_records": 3})
    sent = feed(ledger, COMMANDS // 8, scatter=1000, twice=250)
    summary = ledger_oracle.assert_equal(ledger, tmp_path)
    told(ledger, sent, summary, *writers)


TYPES = ("transfer.post", "transfer.reverse", "hold.place", "stock.reserve",
         "order.place", "order.cancel", "trade.record", "pool.deploy",
         "market.settle", "group", "account.open")
FACTS = ("hold.capture", "order.fill")
RULES = ("burst", "share", "every")


class Operator:
    """Pauses and rate rules, set and taken back while commands flow."""

    def __init__(self, ledger, rng):
        self.ledger, self.rng = ledger, rng
        self.paused, self.rules = set(), set()

    def call(self, text, *args):
        with self.ledger.cell.connect(
                "operator", self.ledger.database).cursor() as cur:
            cur.execute(f"SELECT {text}", args)

    def types(self):
        return self.rng.sample(TYPES, self.rng.randint(1, 5))

    def pause(self):
        scope = self.rng.choice(("trading", "acme", "b\u00e9ta"))
        if scope in self.paused:
            self.paused.remove(scope)
            self.call("resume(%s, 'test', 'op', override => 'test')", scope)
        else:
            self.paused.add(scope)
            self.call("pause(%s, %s, 'test', 'op', unknown_org => true)",
                      scope, self.types() + [self.rng.choice(FACTS)])

    def rate(self):
        name = self.rng.choice(RULES)
        if name in self.rules and self.rng.random() < 0.25:
            self.rules.remove(name)
            self.call("drop_rate_rule(%s, 'op', 'test')", name)
            return
        self.rules.add(name)
        by_actor = name == "burst"
        shares = 1 if by_actor else self.rng.choice((1, 2, 3))
        self.call(
            "set_rate_rule(%s, %s, %s, %s, %s, %s, %s, 'op', 'test')", name,
            self.rng.choice((None, "acme")) if name == "every" else None,
            "actor" if by_actor else "org", self.types(),
            self.rng.choice((shares, 7, 40, 300)),
            {"burst": "700 ms", "share": "2 s", "every": "300 ms"}[name],
            shares)

    def turn(self, _):
        (self.rate if self.rng.random() < 0.6 else self.pause)()

    def ending(self, more):
        """However fast the commands flowed between the turns: some are
        refused by a rate rule, and some by a pause."""
        for scope in sorted(self.paused):
            self.call("resume(%s, 'test', 'op', override => 'test')", scope)
        for name in sorted(self.rules):
            self.call("drop_rate_rule(%s, 'op', 'test')", name)
        self.call("set_rate_rule('last', NULL, 'org', %s, 1, '1 hour', 1, "
                  "'op', 'test')", list(TYPES))
        more(300)
        self.call("drop_rate_rule('last', 'op', 'test')")
        self.call("pause('trading', %s, 'test', 'op')", list(TYPES))
        more(300)
        self.call("resume('trading', 'test', 'op', override => 'test')")


def test_pauses_and_rate_rules_set_under_load_equal_the_model(
        ledger, tmp_path):
    writers = ledger.writers({"batch_records": 300}, {"batch_records": 60})
    operator = Operator(ledger, random.Random(SEED))
    sent = feed(ledger, COMMANDS // 3, operator.turn, ending=operator.ending)
    summary = ledger_oracle.assert_equal(ledger, tmp_path)
    statuses, _ = told(ledger, sent, summary, *writers)
    assert statuses["answer rate_limited"] > 20, statuses
    assert statuses["answer trading_paused"] > 20, statuses
    assert ledger.value("SELECT count(*) FROM audit_events WHERE action "
                        "LIKE '%%rate_rule'") > 10


def test_one_id_through_two_partitions_at_once_is_applied_once(
        ledger, tmp_path):
    ledger.writers({}, {})
    ledger.open_books()
    start = ledger.consumed()
    cmds = [transfer("house", "a", "1.00") for _ in range(300)]
    cmds += [command("stock.reserve", sku="s", qty="1") for _ in range(50)]
    for part in (0, 1, 2, 3):
        ledger.send(*cmds, partition=part)
    ledger.wait_consumed(start + 4 * len(cmds))
    for cmd in cmds:
        answers = ledger.answers_of(cmd["id"])
        assert len(answers) == 4, answers
        assert sum("duplicate" in a for a in answers) == 3
    assert ledger.value("SELECT count(*) FROM postings") == 600
    ledger.check_books()
    ledger_oracle.assert_equal(ledger, tmp_path)
