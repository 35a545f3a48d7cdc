"""The kill test: a fleet under load, killed and stopped everywhere, and
everything it should have done held against a serial model and Kafka.

    make fault [SEED=n] [ROUNDS=n]

SEED draws the load and the faults (not the scheduler's moments); ROUNDS
multiplies them. The last line that it prints is JSON: what flowed, how often
each kind of fault happened, what was found.
"""

import collections
import json
import os
import random
import time

import checker
import fault_judge as judge
import pytest
from fault_fleet import PARTITIONS, Fleet
from fault_load import Load
from fault_plan import Plan, evidence, too_few

SEED = int(os.environ.get("SEED") or random.randrange(1 << 32))
ROUNDS = int(os.environ.get("ROUNDS") or 1)
COMMANDS = 52000  # a round, at least
RATE = 500        # records a second

OUTCOMES = """
    SELECT 'log', part, src_offset, status FROM command_log
        JOIN consumer_partitions USING (stream) WHERE source = 'kafka'
    UNION ALL SELECT 'answer', part, src_offset, status FROM answers
        JOIN consumer_partitions USING (stream)
    UNION ALL SELECT 'rejected', r.part, src_offset, error_class
        FROM rejected r WHERE topic = %s"""
RESULTS = """
    SELECT stream, log_seq, record_key, result FROM command_log
    UNION ALL SELECT stream, log_seq, record_key, result FROM answers"""
UNDELIVERED = """
    WITH delivered AS (SELECT s.stream, s.log_seq FROM relay_progress,
        unnest(streams, log_seqs) AS s (stream, log_seq))
    SELECT coalesce(sum(c.next_log_seq - 1 - coalesce(d.log_seq, 0)), 0)::int8
    FROM consumer_partitions c LEFT JOIN delivered d USING (stream)"""
# events without a topic wait a while before they are parked
WAITING = """
    SELECT (SELECT count(*) FROM outbox_retry) + (SELECT count(*) FROM outbox o
        WHERE aggregatetype = 'nowhere' AND NOT EXISTS (SELECT FROM
            dead_letters d WHERE d.row_id = o.id::text))"""


class Run:
    def __init__(self, fleet, load, directory):
        self.fleet, self.load, self.dir = fleet, load, directory
        self.kafka = fleet.kafka
        self.topic = fleet.commands
        self.repeated = {}

    def rows(self, text, *args):
        return self.fleet.sql(text, args)

    def value(self, text, *args):
        return self.rows(text, *args)[0][0]

    # ---- to rest

    def wait_consumed(self):
        """Every record of the topic is decided."""
        records = self.kafka.read_bytes(self.topic)
        self.records = {(part, offset): value
                        for part, offset, _, value in records}
        self.fleet.wait(lambda: self.fleet.consumed() >= len(records), 300,
                        f"{len(records)} records decided")
        assert self.fleet.consumed() == len(records)

    def wait_delivered(self):
        self.fleet.wait(lambda: self.rows(UNDELIVERED)[0][0] == 0, 300,
                        "every row is delivered", every=0.3)
        self.fleet.wait(lambda: self.value(WAITING) == 0, 60,
                        "what has no topic is parked", every=0.3)

    def rest(self):
        """Drained in order: writers, then relays; the exit statuses."""
        self.wait_consumed()
        ended = {w.client_id: w.stop() for w in self.fleet.writers}
        self.wait_delivered()
        ended |= {r.client_id: r.stop() for r in self.fleet.relays}
        return [f"{name} ended with status {status}"
                for name, status in ended.items() if status != 0]

    # ---- the verdict

    def outcomes(self):
        rows = self.rows(OUTCOMES, self.topic)
        by_place = collections.defaultdict(list)
        for source, part, offset, status in rows:
            by_place[part, offset].append((source, status))
        return (judge.outcomes(self.records, rows)
                + self.holes(by_place)
                + judge.ids(self.rows("SELECT org_id, id FROM command_log"))
                + judge.acknowledged(self.load.acked(), self.records,
                                     by_place))

    def holes(self, by_place):
        """Where records were passed over: what stands around them."""
        around = []
        for part in range(PARTITIONS):
            gone = [o for (p, o) in self.records
                    if p == part and (p, o) not in by_place]
            if gone:
                around += [f"around the hole {part}/{gone[0]}: {row}"
                           for row in self.rows(
                               "SELECT src_offset, batch, pos, decided_at "
                               "FROM command_log JOIN consumer_partitions "
                               "USING (stream) WHERE topic = %s AND part = %s "
                               "AND src_offset BETWEEN %s AND %s ORDER BY 1",
                               self.topic, part, gone[0] - 5,
                               gone[0] + len(gone) + 5)]
        return around

    def serial(self):
        streams = dict(self.rows("SELECT part, stream FROM "
                                 "consumer_partitions WHERE topic = %s",
                                 self.topic))
        wrong, self.summary = judge.serial(
            self, {(streams[part], offset): value
                   for (part, offset), value in self.records.items()},
            self.dir)
        return wrong

    def books(self):
        """Those of the checker of `make run`, and the auditor's views."""
        views = [r[0] for r in self.rows(
            "SELECT relname FROM pg_class WHERE relkind = 'v' AND "
            "relnamespace = 'ch'::regnamespace "
            "AND starts_with(relname, 'check_')")]
        assert views
        texts = checker.BOOKS | {view: f"SELECT * FROM {view}" for view in views}
        return [f"{name}: {row}" for name, text in texts.items()
                for row in self.rows(text)]

    def delivered(self, name, topic, rows, id_header="id", row_of=str):
        records = [(row_of(judge.header(r, id_header)), judge.raw(r["key"]),
                    judge.raw(r["payload"])) for r in
                   judge.read_topic(self.kafka.bootstrap, topic)]
        wrong, self.repeated[name] = judge.delivered(name, rows, records)
        return wrong

    def results(self):
        return self.delivered("results", self.fleet.results, {
            f"{stream}-{seq}": (key and bytes(key), (stream, seq),
                                result.encode())
            for stream, seq, key, result in self.rows(RESULTS)},
            row_of=lambda id_: id_.rpartition("-")[0])

    def letters(self):
        return self.delivered("letters", f"{self.topic}.dlq", {
            str(letter): (key and bytes(key), (stream, seq),
                          None if value is None else bytes(value))
            for letter, stream, seq, key, value in self.rows(
                "SELECT letter_id, stream, log_seq, record_key, value "
                "FROM rejected")}, "ch_letter_id")

    def outbox(self, type_, topic):
        return self.delivered(type_, topic, {
            str(id_): (key.encode(), (0, seq), payload.encode())
            for id_, seq, key, payload in self.rows(
                "SELECT id, seq, aggregateid, payload FROM outbox "
                "WHERE aggregatetype = %s", type_)})

    def parked(self):
        """Only what could not be delivered, and all of that, once each."""
        letters = [row[0] for row in self.rows(
            "SELECT row_id FROM dead_letters")]
        due = [str(row[0]) for row in self.rows(
            "SELECT id FROM outbox WHERE aggregatetype = 'nowhere'")]
        waits = self.rows("SELECT source, row_id, topic FROM outbox_retry")
        return (judge.multiset("letter", due, letters)
                + [f"waits behind nothing: {row}" for row in waits])

    def usurped(self):
        """A writer that was fenced must not claim what Kafka gave away: it
        would fence the owner, again and again."""
        return [f"{w.name}: {line}" for w in self.fleet.writers
                for line in w.events("claim.failed")
                if "is not assigned to this process" in line]

    def verdict(self):
        return (self.outcomes() + self.serial() + self.books()
                + self.parked() + self.usurped() + self.results() + self.letters()
                + [wrong for kind, topic in self.fleet.events.items()
                   for wrong in self.outbox(kind, topic)]
                + self.outbox("fleet.control", self.fleet.control)
                + self.outbox("fleet.alerts", self.fleet.alerts))


@pytest.fixture
def fleet(cell, kafka, database, tmp_path):
    made = Fleet(cell, kafka, database, tmp_path, random.Random(SEED))
    yield made
    made.kill()


@pytest.fixture
def load(fleet):
    made = Load(fleet, SEED, RATE)
    yield made
    made.kill()


def test_nothing_is_lost_doubled_or_decided_otherwise(cell, fleet, load,
                                                      tmp_path, capsys):
    begun = time.monotonic()

    def tell(text):
        with capsys.disabled():
            print(f"[{time.monotonic() - begun:6.1f}] {text}", flush=True)
    tell(f"SEED={SEED} ROUNDS={ROUNDS}, files in {tmp_path}")
    fleet.start()
    load.start()
    plan = Plan(cell, fleet, load, fleet.rng, ROUNDS)
    plan.run(tell)
    load.finish(COMMANDS * ROUNDS)
    tell("the load has ended")
    run = Run(fleet, load, tmp_path)
    wrong = run.rest()
    tell("at rest")
    counts = evidence(fleet, plan)
    wrong += run.verdict()
    wrong += too_few(counts)
    (tmp_path / "differences").write_text("\n".join(wrong))
    with capsys.disabled():
        print(json.dumps({
            "seed": SEED, "rounds": ROUNDS, "commands": len(run.records),
            "acknowledged": len(load.acked()) + load.bursts,
            "faults": counts, "reopened": sum(
                len(w.events("kafka.reopen")) for w in fleet.writers),
            "repeated": run.repeated, "model": run.summary,
            "differences": len(wrong), "first": wrong[:1]}), flush=True)
    assert not wrong, (f"SEED={SEED}: {len(wrong)} differences, the first:\n"
                       + "\n".join(wrong[:5]))
