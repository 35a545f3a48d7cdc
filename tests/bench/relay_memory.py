# SPDX-License-Identifier: Apache-2.0
"""outbox-relay's resident memory where much waits for it.

ours is the largest resident size of the process (VmHWM) in MB of 10^6 bytes,
limit the 48 MB that it must not exceed. Beside it stand the level at the
beginning and at the end of the case, so that a slope shows. No row lost, none
doubled, or the run fails.

backlog  ROWS rows in transactions of PER=500, written by WRITERS=4 connections
         into an application's table; then the relay is started on them and
         watched until all are delivered
first    the same rows read from the table itself, as at a first start or after
         a lost slot
outage   Kafka stopped for MINUTES while an application writes RATE one-row
         transactions a second; watched from before it until all are delivered

Environment: ROWS=10000000, MINUTES=10, RATE=500, PAYLOAD=243 (bytes of each),
CONNECTION=tcp|socket, CASES="backlog first outage". A backlog needs some 2 KB
of disk a row: table, WAL, a copy for the cursor, and Kafka's log.
"""

import concurrent.futures
import json
import pathlib
import tempfile
import time
import uuid

from bench_cell import BenchCell, postgres_with
from cost import status_mb
from figures import figure, say, size, words
from harness.daemon import Daemon
from harness.wait import until
from relay_homes import KIND, ONE_ROW, Application
from resident import Resident

LIMIT_MB = 48.0
PER = 500
WRITERS = 4
BEFORE_SECONDS = 10  # of an outage, so that it begins from a level
DELIVER_SECONDS = 3600

FILL = """
INSERT INTO {into} ({columns})
SELECT {values}, 'acme/k' || floor(power(random(), 3) * 5000)::int8
FROM generate_series(1, {rows})"""


def payload_of(length):
    return json.dumps({"text": "x" * max(0, length - len('{"text": ""}'))})


class RelayMemory(BenchCell):
    def __init__(self, cell):
        super().__init__(cell)
        self.rows = size("ROWS", 10000000)
        self.rate = size("RATE", 500)
        self.minutes = size("MINUTES", 10)
        self.payload = payload_of(size("PAYLOAD", 243))
        self.kind, = words("CONNECTION", "tcp")

    def home(self):
        made = Application(self)
        made.values = f"gen_random_uuid(), '{KIND}', 'happened', " \
                      f"'{self.payload}'"
        return made

    def place(self, home, **more):
        """A topic and a slot of their own, and the flags that name them."""
        prefix = f"ev{uuid.uuid4().hex[:8]}."
        self.kafka.create(prefix + KIND)
        return prefix + KIND, {
            "bootstrap": self.cell.bootstrap,
            "database_url": self.url("relay", home.name, self.kind),
            "slot": f"s{uuid.uuid4().hex[:8]}", **home.flags(prefix), **more}

    def fill(self, home, rows):
        began = time.monotonic()
        sql = home.insert(FILL, rows=PER)
        turns = -(-rows // PER)

        def write(share):
            db = home.connect()
            with db.cursor() as cur:
                cur.execute("SET synchronous_commit = off")
                for _ in range(share):
                    cur.execute(sql)
            db.close()
        with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
            shares = [len(range(n, turns, WRITERS)) for n in range(WRITERS)]
            for done in [pool.submit(write, share) for share in shares]:
                done.result()
        say(f"{turns * PER} rows in {time.monotonic() - began:.0f} s")
        return turns * PER

    def await_delivered(self, relay, rows):
        until(lambda: relay.metric("relay_rows_delivered_total") >= rows,
              DELIVER_SECONDS, f"{rows} rows delivered", every=1)

    def insist_whole(self, topic, rows):
        told = self.load("read", topic=topic, count=rows, seconds=600)
        if told["records"] != rows or told["distinct"] != rows:
            raise AssertionError(f"{rows} rows became {told}")

    def tell(self, case, relay, watched, rows, **more):
        figure("relay-memory", case, "MB", status_mb(relay.pid, "VmHWM"),
               limit=LIMIT_MB, rows=rows, payload=len(self.payload),
               connection=self.kind, **watched, **more)

    # ---- a backlog

    def deliver(self, case, topic, flags, rows):
        relay = Daemon("outbox-relay", wait_ready=False, **flags)
        watch = Resident(relay.pid)
        try:
            self.await_delivered(relay, rows)
            self.tell(case, relay, watch.stop(), rows)
        finally:
            watch.over.set()
            relay.stop()
        self.insist_whole(topic, rows)

    def backlog(self, cases):
        home = self.home()
        if "backlog" in cases:
            topic, flags = self.place(home)
            Daemon("outbox-relay", **flags).stop()  # its slot is made
        rows = self.fill(home, self.rows)
        if "backlog" in cases:
            self.deliver("backlog", topic, flags, rows)
        if "first" in cases:
            self.deliver("first start", *self.place(
                home, outbox_snapshot="initial"), rows)
        home.drop()

    # ---- Kafka gone

    def write_beside(self, pool, home, folder):
        """The application, for as long as the outage and what is about it."""
        script = folder / "one-row.pgbench"
        script.write_text(home.insert(ONE_ROW))
        seconds = self.minutes * 60 + 2 * BEFORE_SECONDS
        return pool.submit(self.pgbench, home.name, "-c", "4", "-j", "1", "-R",
                           str(self.rate), "-T", str(seconds), "-f",
                           str(script))

    def without_kafka(self, relay):
        """(MB before it, at its end)"""
        over = time.monotonic() + BEFORE_SECONDS
        until(lambda: time.monotonic() > over, BEFORE_SECONDS + 60, "a level")
        before = status_mb(relay.pid, "VmRSS")
        self.cell.script("kafka.sh", "stop")
        say(f"Kafka is gone for {self.minutes} minutes")
        over = time.monotonic() + self.minutes * 60
        until(lambda: time.monotonic() > over, self.minutes * 60 + 60,
              "the outage", every=0.5)
        held = status_mb(relay.pid, "VmRSS")
        self.cell.script("kafka.sh", "start")
        say("Kafka is back")
        return before, held

    def outage(self, folder):
        home = self.home()
        topic, flags = self.place(home)
        relay = Daemon("outbox-relay", **flags)
        watch = Resident(relay.pid)
        try:
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                writing = self.write_beside(pool, home, folder)
                before, held = self.without_kafka(relay)
                writing.result()
            rows = home.one(f"SELECT count(*) FROM {home.table}")
            self.await_delivered(relay, rows)
            self.tell(f"Kafka gone for {self.minutes} minutes", relay,
                      watch.stop(), rows, before_mb=before, gone_mb=held,
                      transactions_a_second=self.rate)
        finally:
            watch.over.set()
            relay.stop()
        self.insist_whole(topic, rows)
        home.drop()

    def run(self, folder):
        cases = words("CASES", "backlog first outage")
        if "backlog" in cases or "first" in cases:
            self.backlog(cases)
        if "outage" in cases:
            self.outage(folder)


def measure(cell):
    # a checkpoint makes the WAL of random keys several times as large
    postgres_with(cell, max_wal_size="16GB", checkpoint_timeout="1h")
    with tempfile.TemporaryDirectory(prefix="ch-bench-") as folder:
        bench = RelayMemory(cell)
        try:
            bench.run(pathlib.Path(folder))
        finally:
            bench.drop_all()
