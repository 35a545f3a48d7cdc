# SPDX-License-Identifier: Apache-2.0
"""outbox-relay beside pg_recvlogical, which reads the same slot kind over the
same kind of connection into /dev/null: at once the simplest peer and the most
that PostgreSQL gives.

backlog  N rows of the outbox (243 bytes of payload, keys of which few are hot)
         in transactions of one row and of 500; ours = records / (last - first
         LogAppendTime); from_start: the same from the start of the process;
         limit = N / the time of the pg_recvlogical process. No row lost, none
         doubled, or the run fails.
latency  from the commit's timestamp (taken by PostgreSQL before its fsync) to
         the record's LogAppendTime, at 20 and at 500 transactions a second.
         The latter has a grain of 1 ms, cut off: half of one is added.
application  its transactions a second with the relay (ours) and without
         (peer).

Environment: N=100000, SECONDS=10 of each rate, RATES="20 500",
CONNECTIONS="tcp socket" of the backlog; the first is the latencies'.
"""

import json
import pathlib
import statistics
import subprocess
import tempfile
import time
import uuid

from bench_cell import BenchCell, pgbench_tps
from cost import cpu_seconds, peak_mib
from figures import figure, say, size, words
from harness.cell import TEMPLATE
from harness.daemon import Daemon
from harness.wait import until

IDLE_SECONDS = 5
KIND = "bench"
PAYLOAD = json.dumps({"text": "x" * 231})
assert len(PAYLOAD) == 243

# Each COMMIT is a transaction of the WAL; that the loading itself does not
# wait for the disk changes nothing in what is read later.
LOAD = """
DO $$
DECLARE
	i int8;
BEGIN
	PERFORM set_config('synchronous_commit', 'off', false);
	FOR i IN 1..{rows} LOOP
		INSERT INTO outbox (seq, id, aggregatetype, aggregateid, type,
			payload, created_at) VALUES (i, gen_random_uuid(), '{kind}',
			'acme/k' || floor(power(random(), 3) * 5000)::int8, 'happened',
			'{payload}', clock_timestamp());
		IF i % {per} = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
	COMMIT;
	PERFORM set_config('synchronous_commit', 'on', false);
END $$"""

ONE_ROW = r"""
\set key random(1, 5000)
INSERT INTO outbox (seq, id, aggregatetype, aggregateid, type, payload,
  created_at) VALUES (nextval('batch_seq'), gen_random_uuid(), '@kind@',
  'acme/k' || :key, 'happened', '@payload@', clock_timestamp());
"""


class Relay(BenchCell):
    def __init__(self, cell, folder):
        super().__init__(cell)
        self.count = size("N", 100000)
        self.seconds = size("SECONDS", 10)
        self.kinds = words("CONNECTIONS", "tcp socket")
        self.folder = folder

    def place(self, database, kind, **more):
        """A topic and a slot of its own, and the flags that name them."""
        tag = uuid.uuid4().hex[:8]
        topic = f"ev{tag}.{KIND}"
        self.kafka.create(topic, config=(
            "message.timestamp.type=LogAppendTime",))
        return topic, {"bootstrap": self.cell.bootstrap,
                       "database_url": self.url("relay", database, kind),
                       "slot": f"s{tag}", "outbox_prefix": f"ev{tag}.",
                       "results_topic": topic, **more}

    # ---- backlog

    def load_rows(self, database, per):
        db = self.cell.connect("owner", database)
        began = time.monotonic()
        with db.cursor() as cur:
            cur.execute(LOAD.format(rows=self.count - 1, kind=KIND,
                                    payload=PAYLOAD, per=per))
            cur.execute("SELECT pg_current_wal_insert_lsn()")
            end = cur.fetchone()[0]
            # one row more, behind the end, lets pg_recvlogical see the end;
            # its commit brings everything before it to the disk
            cur.execute("INSERT INTO outbox (seq, id, aggregatetype, "
                        "aggregateid, type, payload, created_at) VALUES "
                        "(%s, gen_random_uuid(), %s, 'acme/k', 'happened', "
                        "%s, now())", (self.count, KIND, PAYLOAD))
        db.close()
        say(f"backlog of {self.count} rows, {per} a transaction, in "
            f"{time.monotonic() - began:.1f} s")
        return end

    def received(self, database, kind, slot, end):
        """Rows/s of pg_recvlogical."""
        began = time.monotonic()
        subprocess.run(
            ["pg_recvlogical", "-d", self.url("relay", database, kind),
             f"--slot={slot}", "--start", f"--endpos={end}", "--no-loop",
             "--file=/dev/null", "--option=proto_version=1",
             "--option=publication_names=ch_relay", "--option=binary=true"],
            check=True, timeout=600, stdin=subprocess.DEVNULL)
        rate = self.count / (time.monotonic() - began)
        say(f"pg_recvlogical over {kind}: {rate:.0f} rows/s")
        return rate

    def delivered(self, topic, flags):
        """(records/s, what it cost)"""
        broker, began = self.broker_cpu(), time.time()
        relay = Daemon("outbox-relay", wait_ready=False, **flags)
        try:
            told = self.load("read", topic=topic, count=self.count,
                             seconds=600)
            cost = {"relay_cpu_s": cpu_seconds(relay.pid),
                    "walsender_cpu_s": cpu_seconds(self.walsender(flags)),
                    "broker_cpu_s": self.broker_cpu() - broker,
                    "relay_peak_mib": peak_mib(relay.pid)}
        finally:
            relay.stop()
        if told["records"] != self.count or told["distinct"] != self.count:
            raise AssertionError(f"{self.count} rows became {told}")
        seconds = (told["last_ms"] - told["first_ms"]) / 1e3
        cost["from_start"] = self.count / (told["last_ms"] / 1e3 - began)
        say(f"ours: {self.count / seconds:.0f} records/s")
        return self.count / seconds, cost

    def walsender(self, flags):
        return self.as_superuser(
            "postgres", "SELECT active_pid FROM pg_replication_slots WHERE "
            f"slot_name = '{flags['slot']}'")[0][0]

    def broker_cpu(self):
        file = self.cell.state / "run" / "kafka.pid"
        return cpu_seconds(int(file.read_text()))

    def backlog(self, case, per):
        name = self.copy_of(TEMPLATE)
        slots, places = {}, {}
        for kind in self.kinds:
            slots[kind] = f"r{uuid.uuid4().hex[:8]}"
            self.as_superuser(name, "SELECT pg_create_logical_replication_"
                              f"slot('{slots[kind]}', 'pgoutput')")
            places[kind] = self.place(name, kind)
            Daemon("outbox-relay", **places[kind][1]).stop()
        end = self.load_rows(name, per)
        self.checkpoint()
        for kind in self.kinds:
            limit = self.received(name, kind, slots[kind], end)
            rate, cost = self.delivered(*places[kind])
            # Debezium (issue 5) reads a slot of its own here: its rate
            # becomes the peer
            figure("relay", f"backlog, {case}, {kind}", "records/s", rate,
                   limit, limit, rows=self.count, peer_is="pg_recvlogical",
                   connection=kind, **cost)
        self.drop(name)

    # ---- latency

    def script(self):
        path = self.folder / "one-row.pgbench"
        path.write_text(ONE_ROW.replace("@kind@", KIND).replace("@payload@",
                                                                PAYLOAD))
        return str(path)

    def latencies(self):
        for turn, rate in enumerate(map(int, words("RATES", "20 500"))):
            name = self.copy_of(TEMPLATE)
            topic, flags = self.place(name, self.kinds[0])
            relay = Daemon("outbox-relay", **flags)
            try:
                if turn == 0:
                    self.idle(relay)
                say(f"latency at {rate} transactions/s")
                before = cpu_seconds(relay.pid)
                self.pgbench(name, "-c", "4", "-j", "1", "-R", str(rate),
                             "-T", str(self.seconds), "-f", self.script())
                took = self.waits(name, topic)
                cost = {"relay_cpu_s": cpu_seconds(relay.pid) - before,
                        "relay_peak_mib": peak_mib(relay.pid),
                        "transactions": len(took), "max_ms": took[-1]}
            finally:
                relay.stop()
            cuts = statistics.quantiles(took, n=100, method="inclusive")
            for cut in (50, 99):
                figure("relay", f"commit to append, {rate}/s, p{cut}", "ms",
                       cuts[cut - 1], connection=self.kinds[0], grain_ms=1,
                       **cost)
            self.drop(name)

    def waits(self, database, topic):
        """Sorted milliseconds from commit to append."""
        db = self.cell.connect("owner", database)
        with db.cursor() as cur:
            cur.execute("SELECT id::text, extract(epoch FROM "
                        "pg_xact_commit_timestamp(xmin))::float8 * 1000 "
                        "FROM outbox")
            commits = dict(cur.fetchall())
        db.close()
        out = self.folder / "appended"
        self.load("read", topic=topic, count=len(commits), out=out)
        appends = dict(line.split() for line in out.read_text().splitlines())
        if appends.keys() != commits.keys():
            raise AssertionError(f"{len(commits)} rows became "
                                 f"{len(appends)} records")
        return sorted(int(appends[i]) + 0.5 - at for i, at in commits.items())

    def idle(self, relay):
        """What it costs when there is nothing to do."""
        before, end = cpu_seconds(relay.pid), time.monotonic() + IDLE_SECONDS
        until(lambda: time.monotonic() > end, IDLE_SECONDS + 5, "idle")
        figure("relay", "idle", "% of a core",
               (cpu_seconds(relay.pid) - before) / IDLE_SECONDS * 100)

    # ---- the application beside it

    def application(self):
        name = self.copy_of(TEMPLATE)
        args = ("-c", "4", "-j", "1", "-T", str(self.seconds), "-f",
                self.script())
        topic, flags = self.place(name, self.kinds[0])
        self.checkpoint()
        without = pgbench_tps(self.pgbench(name, *args))
        say(f"application without relay: {without:.0f} transactions/s")
        relay = Daemon("outbox-relay", **flags)
        try:
            done = self.as_superuser(name, "SELECT count(*) FROM ch.outbox")
            self.load("read", topic=topic, count=done[0][0])
            self.checkpoint()
            beside = pgbench_tps(self.pgbench(name, *args))
        finally:
            relay.stop()
        figure("relay", "application's transactions with the relay",
               "transactions/s", beside, without, peer_is="without relay",
               connection=self.kinds[0])
        self.drop(name)


def keep_commit_times(cell):
    """PostgreSQL must be told at its start to keep them."""
    db = cell.connect("superuser", "postgres")
    with db.cursor() as cur:
        cur.execute("SHOW track_commit_timestamp")
        kept = cur.fetchone()[0] == "on"
        if not kept:
            cur.execute("ALTER SYSTEM SET track_commit_timestamp = on")
    db.close()
    if not kept:
        cell.script("postgres.sh", "stop")
        cell.script("postgres.sh", "start")
        cell.read_env()


def measure(cell):
    keep_commit_times(cell)
    with tempfile.TemporaryDirectory(prefix="ch-bench-") as folder:
        bench = Relay(cell, pathlib.Path(folder))
        try:
            bench.backlog("1 row a transaction", 1)
            bench.backlog("500 rows a transaction", 500)
            bench.latencies()
            bench.application()
        finally:
            bench.drop_all()
