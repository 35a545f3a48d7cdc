# SPDX-License-Identifier: Apache-2.0
"""ledger-writer beside one transaction a command, and beside COPY alone.

ours   commands/s from a topic that was filled before, told by
       consumer_partitions, not by the writer's own counters
peer   the same work by pgbench: naive.py, CLIENTS connections, prepared
limit  COPY of the very rows that ours inserted, nothing else: one connection,
       one transaction, from files on the server, into a copy of the database
       that ours began with

Case hot: one account pays any of ACCOUNTS, and one SKU is reserved, by turns.
pair: one account pays one other. uniform: any of ACCOUNTS pays any other.
Then latencies from a command's send to its result at a consumer.

A busy machine bends rates more than CPU times: ratio_limit_cpu is the limit's
CPU time a command in PostgreSQL over ours.

Environment: N=200000 commands a case, CASES="hot uniform", ACCOUNTS=100000,
SECONDS=10 of the naive runs and of the fixed rate, RATE= of it (half of what
hot did), CLIENTS=16, SINGLES=200, DUPLICATES=0 and REFUSALS=0 per cent,
CONNECTION=socket|tcp of all three, SEED=.
"""

import pathlib
import tempfile

import naive
from bench_cell import BenchCell, pgbench_tps
from cost import cpu_seconds, peak_mib
from figures import figure, say, size, words
from harness.cell import TEMPLATE
from harness.daemon import Daemon
from harness.wait import until

PHASES = ("names", "lock", "decide", "write", "commit")
ROWS = {"command_log": "*", "postings": "*", "answers": "*",
        "reservations": "*",
        "outbox": "seq, id, aggregatetype, aggregateid, type, payload, "
                  "created_at, traceparent"}
SINCE = {"command_log": "batch > %d", "postings": "batch > %d",
         "answers": "batch > %d",
         "outbox": "seq > %d * 1048576::int8",
         "reservations": "reservation_id > 0 + 0 * %d"}


class Ledger(BenchCell):
    def __init__(self, cell, folder):
        super().__init__(cell)
        self.kind = (words("CONNECTION", "socket"))[0]
        self.count = size("N", 200000)
        self.accounts = size("ACCOUNTS", 100000)
        self.seconds = size("SECONDS", 10)
        self.seed = size("SEED", 1)
        self.shares = {"duplicates": size("DUPLICATES", 0),
                       "refusals": size("REFUSALS", 0)}
        self.folder = folder
        self.base = None  # the database that every measurement starts from
        self.base_batch = 0

    def produce(self, case, count, partitions=4):
        topic = self.kafka.unique(f"bench.{case}")
        self.kafka.create(topic, partitions=partitions)
        told = self.load("produce", topic=topic, case=case, count=count,
                         accounts=self.accounts, seed=self.seed,
                         **(self.shares if case != "setup" else {}))
        say(f"{case}: {told['produced']} commands produced in "
            f"{told['seconds']} s")
        return topic, told["produced"]

    def writer(self, database, topic, kind=None, **more):
        return Daemon("ledger-writer", wait_ready=False,
                      bootstrap=self.cell.bootstrap,
                      database_url=self.url("writer", database,
                                            kind or self.kind),
                      commands_topics=topic, trades_topics="", fills_topics="", group=topic,
                      **more)

    # ---- what every measurement starts from

    def prepare(self):
        self.base = self.copy_of(TEMPLATE)
        topic, count = self.produce("setup", 0, partitions=1)
        writer = self.writer(self.base, topic)
        with self.cell.connect("owner", self.base) as db, db.cursor() as cur:
            until(lambda: consumed(cur, topic)[0] >= count, 300,
                  "accounts opened", every=0.2)
            cur.execute("SELECT status, count(*) FROM command_log GROUP BY 1")
            assert cur.fetchall() == [("applied", count)]
            cur.execute("SELECT max(batch) FROM command_log")
            self.base_batch = cur.fetchone()[0]
            writer.stop()
        db.close()
        self.as_superuser(self.base, "VACUUM (FREEZE, ANALYZE)", "CHECKPOINT")
        say(f"{self.accounts} accounts opened")

    # ---- ours

    def ours(self, case):
        """(commands/s, what it cost, the database)"""
        topic, count = self.produce(case, self.count)
        name = self.copy_of(self.base)
        db = self.cell.connect("owner", name)
        self.checkpoint()
        wal = self.wal_bytes()
        with db.cursor() as cur:
            writer = self.writer(name, topic)
            try:
                rate, seconds, backend = drain(cur, topic, count)
                cost = {"wal_bytes": (self.wal_bytes() - wal) / count,
                        "writer_cpu_us": cpu_seconds(writer.pid) / count * 1e6,
                        "backend_cpu_us": cpu_seconds(backend) / count * 1e6,
                        "writer_peak_mib": peak_mib(writer.pid),
                        **phases(writer)}
            finally:
                writer.stop()
            cost["statuses"] = self.statuses(cur, topic, count)
        db.close()
        cost["seconds"] = seconds
        say(f"{case}: ours {rate:.0f}/s")
        return rate, cost, name

    def statuses(self, cur, topic, count):
        """Every command has its answer; how many of each."""
        cur.execute(
            "SELECT status, count(*) FROM (SELECT status, batch FROM "
            "command_log UNION ALL SELECT status, batch FROM answers) a "
            "WHERE batch > %s GROUP BY 1", (self.base_batch,))
        told = dict(cur.fetchall())
        assert sum(told.values()) == count, (topic, count, told)
        return told

    # ---- peer

    def naive(self, case, database):
        def sample(kind):
            db = self.cell.connect("owner", database)
            with db.cursor() as cur:
                cur.execute("SELECT convert_from(record_key, 'UTF8') AS key, "
                            "convert_from(command, 'UTF8'), result FROM "
                            "command_log WHERE type = %s AND status = "
                            "'applied' AND batch > %s LIMIT 1",
                            (kind, self.base_batch))
                texts = dict(zip(("key", "command", "result"),
                                 cur.fetchone()))
                cur.execute("SELECT payload FROM outbox WHERE seq > %s "
                            "LIMIT 1", (self.base_batch * 1048576,))
                event = cur.fetchone()
            db.close()
            return {**texts, "event": event[0] if event else ""}

        name = self.copy_of(self.base)
        clients = size("CLIENTS", 16)
        files = naive.scripts(case, sample, self.folder)
        self.checkpoint()
        tps = pgbench_tps(self.pgbench(
            name, "-M", "prepared", "-c", str(clients), "-j", "2", "-T",
            str(self.seconds), "--max-tries=10", "-D",
            f"accounts={self.accounts}", *files))
        self.drop(name)
        say(f"{case}: naive {tps:.0f}/s")
        return tps

    # ---- limit

    def copy_alone(self, case, database, count):
        """(commands/s at which COPY writes ours' rows, microseconds of CPU
        a command)"""
        where = pathlib.Path(self.as_superuser(
            "postgres", "SHOW data_directory")[0][0]).parent
        copies, files = [], []
        for table, columns in ROWS.items():
            file = where / f"bench-{table}.copy"
            names = "" if columns == "*" else f"({columns})"
            self.as_superuser(
                database, f"COPY (SELECT {columns} FROM ch.{table} WHERE "
                f"{SINCE[table] % self.base_batch}) TO '{file}' (FORMAT "
                "binary)")
            copies.append(f"COPY ch.{table} {names} FROM '{file}' "
                          "(FORMAT binary)")
            files.append(file)
        name = self.copy_of(self.base)
        self.checkpoint()
        # sent together they are one transaction
        seconds, cpu = self.timed(name, "; ".join(copies))
        for file in files:
            file.unlink()
        self.drop(name)
        say(f"{case}: COPY alone {count / seconds:.0f}/s")
        return count / seconds, cpu / count * 1e6

    def compare(self, case):
        rate, cost, name = self.ours(case)
        peer = self.naive(case, name)
        limit, limit_cpu = self.copy_alone(case, name, self.count)
        self.drop(name)
        figure("ledger", case, "commands/s", rate, peer, limit,
               connection=self.kind, commands=self.count,
               accounts=self.accounts, **self.shares,
               limit_backend_cpu_us=limit_cpu,
               ratio_limit_cpu=limit_cpu / cost["backend_cpu_us"], **cost)
        return rate, cost["writer_peak_mib"]

    # ---- latency

    def latencies(self, rate):
        """Writer and relay on a database and topics of their own."""
        name = self.copy_of(self.base)
        topic = self.kafka.unique("bench.commands")
        results = self.kafka.unique("bench.results")
        prefix = self.kafka.unique("bench.event") + "."
        self.kafka.create(topic, results, prefix + "stock")
        writer = self.writer(name, topic)
        relay = Daemon("outbox-relay", bootstrap=self.cell.bootstrap,
                       database_url=self.url("relay", name, self.kind),
                       slot=f"s_{name}", results_topic=results,
                       outbox_prefix=prefix)
        try:
            writer.wait_ready()
            self.load("read", topic=results, count=self.accounts, seconds=120)
            singles = size("SINGLES", 200)
            say("latency: one record, one row, one record")
            floor = self.floor(name, singles)
            say("latency: one command at a time")
            self.latency("single command, idle", topic, results, 0, singles,
                         floor)
            say(f"latency: {rate} commands/s for {self.seconds} s")
            self.latency(f"at {rate}/s", topic, results, rate,
                         rate * self.seconds)
            figure("ledger", "peak memory, relay", "MiB", peak_mib(relay.pid))
        finally:
            writer.stop()
            relay.stop()
        self.drop(name)

    def floor(self, database, count):
        """The shortest way with the same promise, on this machine and now."""
        topic = self.kafka.unique("bench.floor")
        results = self.kafka.unique("bench.floor.results")
        self.kafka.create(topic, results)
        with self.serving("floor", count=count, topic=topic, results=results,
                          **{"database-url": self.url("owner", database,
                                                      self.kind)}):
            return self.load("latency", topic=topic, results=results,
                             case="hot", count=count, rate=0,
                             accounts=self.accounts, seed=self.seed)

    def latency(self, case, topic, results, rate, count, floor=None):
        told = self.load("latency", topic=topic, results=results, case="hot",
                         count=count, rate=rate, accounts=self.accounts,
                         seed=self.seed + 7 + rate)
        for name in ("p50", "p99"):
            figure("ledger", f"produce to result, {case}, {name}", "ms",
                   told[f"{name}_ms"],
                   limit=floor and floor[f"{name}_ms"], commands=count,
                   max_ms=told["max_ms"], applied=told["applied"],
                   connection=self.kind)

    def measure(self):
        told = {case: self.compare(case)
                for case in words("CASES", "hot uniform")}
        figure("ledger", "peak memory, writer", "MiB",
               max(peak for _, peak in told.values()), backlog=self.count)
        rate = told["hot" if "hot" in told else min(told)][0]
        self.latencies(size("RATE", max(100, int(rate / 2))))


def consumed(cur, topic):
    """(records committed, PostgreSQL's clock, the writer's backend)"""
    cur.execute("SELECT coalesce(sum(next_offset), 0)::int8, "
                "extract(epoch FROM clock_timestamp())::float8, "
                "max(backend_pid) FROM consumer_partitions WHERE topic = %s",
                (topic,))
    return cur.fetchone()


def drain(cur, topic, count):
    """(records/s, seconds, backend) from the first committed batch that is
    seen to the last."""
    first = until(lambda: at_least(consumed(cur, topic), 1), 60,
                  "first batch", every=0.01)
    last = until(lambda: at_least(consumed(cur, topic), count), 600,
                 f"{count} records applied", every=0.02)
    seconds = last[1] - first[1]
    return (count - first[0]) / seconds, seconds, last[2]


def at_least(told, count):
    return told if told[0] >= count else None


def phases(writer):
    """Milliseconds of each phase of a batch, by the writer's metrics."""
    batches = writer.metric("ledger_batches_total", kind="commands")
    spent = {p: writer.metric("ledger_phase_seconds_sum", phase=p)
             for p in PHASES}
    return {"batches": int(batches),
            "phase_ms": {p: round(s / max(batches, 1) * 1e3, 2)
                         for p, s in spent.items()}}


def measure(cell):
    with tempfile.TemporaryDirectory(prefix="ch-bench-") as folder:
        bench = Ledger(cell, pathlib.Path(folder))
        try:
            bench.prepare()
            bench.measure()
        finally:
            bench.drop_all()
