# SPDX-License-Identifier: Apache-2.0
"""outbox-relay beside Debezium, which reads the same rows of the same table by
a slot of its own, and beside pg_recvlogical, which reads the same slot kind over
the same kind of connection into /dev/null: the most that PostgreSQL gives.

backlog  N rows (243 bytes of payload, keys of which few are hot) in
         transactions of one row and of 500; ours and peer = records / (last -
         first LogAppendTime); from_start: the same from the start of the
         process, or of the connector. limit = N / the time of the
         pg_recvlogical process. No row lost, none doubled, or the run fails.
         The application's table is read by both; the ledger's outbox by us
         alone (its peer is pg_recvlogical). Debezium knows TCP only.
latency  from the commit's timestamp (taken by PostgreSQL before its fsync) to
         the record's LogAppendTime, at 20 and at 500 transactions a second.
         The latter has a grain of 1 ms, cut off: half of one is added. limit =
         the same of "bench-load forward", the least that a relay can do with
         the same client of Kafka. own_ms = what the application waits for its
         transaction, of which the fsync is nearly all: before it no reader of
         the WAL sees a row. Before each the same load runs for WARM_SECONDS, of
         which nothing is counted: a topic's and a relay's first rows meet a
         broker that compiles and makes files. CPU: of each in that time, for
         15,000 events.
application  its transactions a second with the relay (ours), without (peer),
         and with pg_recvlogical in the relay's place (limit).

Environment: N=100000, SECONDS=10 of each rate, RATES="20 500",
CONNECTIONS="tcp socket" of the backlog; the first is the latencies';
CASES="backlog latency application".
"""

import contextlib
import pathlib
import statistics
import subprocess
import tempfile
import time
import uuid

from bench_cell import BenchCell, pgbench_tps, postgres_with
from cost import cpu_seconds, peak_mib
from debezium import LATENCY, THROUGHPUT, Debezium
from figures import figure, say, size, words
from harness.daemon import Daemon
from harness.wait import until
from relay_homes import KIND, ONE_ROW, Application, Ledger

IDLE_SECONDS = 5
WARM_SECONDS = 5
CPU_EVENTS = 15000


class Relay(BenchCell):
    def __init__(self, cell, folder):
        super().__init__(cell)
        self.count = size("N", 100000)
        self.seconds = size("SECONDS", 10)
        self.kinds = words("CONNECTIONS", "tcp socket")
        self.folder = folder
        say("starting Kafka Connect")
        self.debezium = Debezium(cell.bootstrap)

    def topic(self):
        """(a topic of its own, the prefix that leads to it)"""
        prefix = f"ev{uuid.uuid4().hex[:8]}."
        self.kafka.create(prefix + KIND, config=(
            "message.timestamp.type=LogAppendTime",))
        return prefix + KIND, prefix

    def place(self, home, kind):
        """A topic and a slot, and the flags that name them."""
        topic, prefix = self.topic()
        return topic, {"bootstrap": self.cell.bootstrap,
                       "database_url": self.url("relay", home.name, kind),
                       "slot": f"s{uuid.uuid4().hex[:8]}",
                       **home.flags(prefix)}

    # ---- backlog

    def recvlogical(self, home, kind, slot):
        return ["pg_recvlogical", "-d", self.url("relay", home.name, kind),
                f"--slot={slot}", "--start", "--no-loop", "--file=/dev/null",
                "--option=proto_version=1", "--option=binary=true",
                f"--option=publication_names={home.publication}"]

    def received(self, home, kind, slot, end):
        """Rows/s of pg_recvlogical."""
        began = time.monotonic()
        subprocess.run([*self.recvlogical(home, kind, slot),
                        f"--endpos={end}"],
                       check=True, timeout=600, stdin=subprocess.DEVNULL)
        rate = self.count / (time.monotonic() - began)
        say(f"pg_recvlogical over {kind}: {rate:.0f} rows/s")
        return rate

    def drained(self, topic, began):
        """(records/s, the same from the start)"""
        told = self.load("read", topic=topic, count=self.count, seconds=900)
        if told["records"] != self.count or told["distinct"] != self.count:
            raise AssertionError(f"{self.count} rows became {told}")
        return (self.count / ((told["last_ms"] - told["first_ms"]) / 1e3),
                self.count / (told["last_ms"] / 1e3 - began))

    def delivered(self, home, topic, flags):
        """(records/s, what it cost)"""
        broker, began = self.broker_cpu(), time.time()
        relay = Daemon("outbox-relay", wait_ready=False, **flags)
        try:
            rate, whole = self.drained(topic, began)
            cost = {"relay_cpu_s": cpu_seconds(relay.pid),
                    "walsender_cpu_s": cpu_seconds(
                        home.reader_of(flags["slot"])),
                    "broker_cpu_s": self.broker_cpu() - broker,
                    "relay_peak_mib": peak_mib(relay.pid),
                    "from_start": whole}
        finally:
            relay.stop()
        say(f"ours: {rate:.0f} records/s")
        return rate, cost

    def delivered_by_debezium(self, home, slot):
        topic, prefix = self.topic()
        began, before = time.time(), self.debezium.cpu()
        self.debezium.begin(home, slot, prefix, THROUGHPUT, wait=False)
        rate, whole = self.drained(topic, began)
        cost = {"peer_cpu_s": self.debezium.cpu() - before,
                "peer_peak_mib": self.debezium.peak_mib(),
                "peer_from_start": whole}
        self.debezium.end(home, slot)
        say(f"Debezium: {rate:.0f} records/s")
        return rate, cost

    def broker_cpu(self):
        file = self.cell.state / "run" / "kafka.pid"
        return cpu_seconds(int(file.read_text()))

    def backlog(self, home, case, per):
        limits = {kind: home.make_slot() for kind in self.kinds}
        places = {kind: self.place(home, kind) for kind in self.kinds}
        for _, flags in places.values():
            Daemon("outbox-relay", **flags).stop()
        slot = home.make_slot()
        began = time.monotonic()
        end = home.load(self.count, per)
        say(f"backlog of {self.count} rows, {per} a transaction, in "
            f"{time.monotonic() - began:.1f} s")
        self.checkpoint()
        peer, theirs = None, {}
        if home.alone:
            peer, theirs = self.delivered_by_debezium(home, slot)
        for kind in self.kinds:
            limit = self.received(home, kind, limits[kind], end)
            rate, cost = self.delivered(home, *places[kind])
            figure("relay", f"backlog, {home.kind}, {case}, {kind}",
                   "records/s", rate, peer or limit, limit, rows=self.count,
                   peer_is="Debezium, tcp" if peer else "pg_recvlogical",
                   connection=kind, **cost, **theirs)
        home.drop()

    # ---- latency

    def script(self, home):
        path = self.folder / "one-row.pgbench"
        path.write_text(home.insert(ONE_ROW))
        return str(path)

    def paced(self, home, topic, rate, cpu):
        """(sorted milliseconds, CPU seconds) at that rate; beside it, sorted,
        how long each transaction took the application."""
        load = ("-c", "4", "-j", "1", "-R", str(rate), "-f", self.script(home))
        self.pgbench(home.name, *load, "-T", str(WARM_SECONDS))
        warm = len(self.waits(home, topic))
        before, log = cpu(), self.folder / f"own-{uuid.uuid4().hex}"
        self.pgbench(home.name, *load, "-T", str(self.seconds), "-l",
                     f"--log-prefix={log}")
        took = self.waits(home, topic)[warm:]
        return sorted(took), cpu() - before, own_times(log)

    def latency_of_ours(self, rate, first):
        home = Application(self)
        topic, flags = self.place(home, self.kinds[0])
        relay = Daemon("outbox-relay", **flags)
        try:
            if first:
                self.idle(relay)
            took, cpu, own = self.paced(home, topic, rate,
                                        lambda: cpu_seconds(relay.pid))
            peak = peak_mib(relay.pid)
        finally:
            relay.stop()
        home.drop()
        return took, own, {"relay_cpu_s": cpu, "relay_peak_mib": peak,
                           "transactions": len(took), "max_ms": took[-1]}

    def latency_of_debezium(self, rate):
        home = Application(self)
        topic, prefix = self.topic()
        slot = home.make_slot()
        self.debezium.begin(home, slot, prefix, LATENCY)
        took, cpu, _ = self.paced(home, topic, rate, self.debezium.cpu)
        self.debezium.end(home, slot)
        home.drop()
        return took, {"peer_cpu_s": cpu, "peer_max_ms": took[-1]}

    @contextlib.contextmanager
    def forwarding(self, home, slot, topic):
        """bench-load forward, which reads the slot meanwhile."""
        argv = self.argv("forward", {
            "topic": topic, "slot": slot, "publication": home.publication,
            "database-url": self.url("relay", home.name, self.kinds[0])})
        with subprocess.Popen(argv) as process:
            try:
                until(lambda: home.reader_of(slot), 30, f"{slot} is read")
                yield process.pid
                if process.poll() is not None:
                    raise RuntimeError(f"{argv}: status {process.returncode}")
            finally:
                process.terminate()

    def latency_of_least(self, rate):
        home = Application(self)
        topic, slot = self.topic()[0], home.make_slot()
        with self.forwarding(home, slot, topic) as pid:
            took, cpu, _ = self.paced(home, topic, rate,
                                      lambda: cpu_seconds(pid))
        home.drop()
        return took, cpu

    def latencies(self):
        for turn, rate in enumerate(map(int, words("RATES", "20 500"))):
            say(f"latency at {rate} transactions/s")
            theirs, cost = self.latency_of_debezium(rate)
            took, own, more = self.latency_of_ours(rate, turn == 0)
            least, least_cpu = self.latency_of_least(rate)
            cuts, others, leasts, owns = (statistics.quantiles(
                ms, n=100, method="inclusive")
                for ms in (took, theirs, least, own))
            for cut in (50, 99):
                figure("relay", f"commit to append, {rate}/s, p{cut}", "ms",
                       cuts[cut - 1], others[cut - 1], leasts[cut - 1],
                       peer_is="Debezium", limit_is="bench-load forward",
                       own_ms=owns[cut - 1], connection=self.kinds[0],
                       grain_ms=1, **more, **cost)
            figure("relay", f"CPU of {CPU_EVENTS} events at {rate}/s", "s",
                   *(cpu / len(ms) * CPU_EVENTS for cpu, ms in (
                       (more["relay_cpu_s"], took),
                       (cost["peer_cpu_s"], theirs), (least_cpu, least))),
                   peer_is="Debezium", limit_is="bench-load forward",
                   connection=self.kinds[0])

    def waits(self, home, topic):
        """Milliseconds from commit to append, in the order of commits."""
        db = home.connect()
        with db.cursor() as cur:
            cur.execute("SELECT id::text, extract(epoch FROM "
                        "pg_xact_commit_timestamp(xmin))::float8 * 1000 AS ms "
                        f"FROM {home.table} ORDER BY ms")
            commits = dict(cur.fetchall())
        db.close()
        out = self.folder / "appended"
        self.load("read", topic=topic, count=len(commits), out=out)
        appends = dict(line.split() for line in out.read_text().splitlines())
        if appends.keys() != commits.keys():
            raise AssertionError(f"{len(commits)} rows became "
                                 f"{len(appends)} records")
        return [int(appends[i]) + 0.5 - at for i, at in commits.items()]

    def idle(self, relay):
        """What it costs when there is nothing to do."""
        before, end = cpu_seconds(relay.pid), time.monotonic() + IDLE_SECONDS
        until(lambda: time.monotonic() > end, IDLE_SECONDS + 5, "idle")
        figure("relay", "idle", "% of a core",
               (cpu_seconds(relay.pid) - before) / IDLE_SECONDS * 100)

    # ---- the application beside it

    @contextlib.contextmanager
    def receiving(self, home):
        """pg_recvlogical, which reads all that is written meanwhile."""
        slot = home.make_slot()
        argv = self.recvlogical(home, self.kinds[0], slot)
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL) as process:
            try:
                until(lambda: home.reader_of(slot), 30, f"{slot} is read")
                yield
            finally:
                process.terminate()
        until(lambda: not home.reader_of(slot), 30, f"{slot} is left")
        home.one(f"SELECT pg_drop_replication_slot('{slot}')")

    def application(self):
        home = Application(self)
        args = ("-c", "4", "-j", "1", "-T", str(self.seconds), "-f",
                self.script(home))
        topic, flags = self.place(home, self.kinds[0])
        self.checkpoint()
        without = pgbench_tps(self.pgbench(home.name, *args))
        say(f"application without relay: {without:.0f} transactions/s")
        with self.receiving(home):
            self.checkpoint()
            read = pgbench_tps(self.pgbench(home.name, *args))
        relay = Daemon("outbox-relay", **{**flags, "outbox_snapshot":
                                          "initial"})
        try:
            self.load("read", topic=topic,
                      count=home.one(f"SELECT count(*) FROM {home.table}"))
            self.checkpoint()
            beside = pgbench_tps(self.pgbench(home.name, *args))
        finally:
            relay.stop()
        figure("relay", "application's transactions with the relay",
               "transactions/s", beside, without, read,
               peer_is="without relay", limit_is="beside pg_recvlogical",
               connection=self.kinds[0])
        home.drop()

    def run(self):
        cases = words("CASES", "backlog latency application")
        if "backlog" in cases:
            for make in (Application, Ledger):
                self.backlog(make(self), "1 row a transaction", 1)
                self.backlog(make(self), "500 rows a transaction", 500)
        if "latency" in cases:
            self.latencies()
        if "application" in cases:
            self.application()

    def close(self):
        self.debezium.stop()
        self.drop_all()


def own_times(log):
    """Sorted milliseconds of each transaction, of pgbench's log: without its
    lag behind the schedule."""
    lines = [line.split() for file in log.parent.glob(log.name + "*")
             for line in file.read_text().splitlines()]
    return sorted((int(f[2]) - int(f[6])) / 1000 for f in lines)


def measure(cell):
    postgres_with(cell, track_commit_timestamp="on")
    with tempfile.TemporaryDirectory(prefix="ch-bench-") as folder:
        bench = Relay(cell, pathlib.Path(folder))
        try:
            bench.run()
        finally:
            bench.close()
