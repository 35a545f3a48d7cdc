# SPDX-License-Identifier: Apache-2.0
"""ledger-writer where something is large: what a command costs then, beside
what it costs when that is small.

ours is the CPU time of a command, writer and backend together, in the large
case; peer the same in the small one; ratio_peer their quotient: of REPEAT=3
runs by turns, the cheapest of each. Rates, WAL and memory stand beside them.
The large tables are filled by SQL, not by commands.

accounts    uniform over FEW=10000 and over MANY=10000000 accounts
log         uniform over FEW, with an empty log and with LOG_ROWS=50000000 rows
            in today's partition of command_log
shares      hot and uniform with 10 % duplicates, and with 10 % refusals
backlog     peak memory of the writer with BACKLOG=1000000 commands waiting
writers     two writers on two partitions of one topic, uniform: how much of
            their backends' time is spent waiting for rows

Environment: PARTS="accounts log shares backlog writers", N=200000 commands a
case, SHARED_BUFFERS=2GB (PostgreSQL's; its documentation advises a quarter of
the memory), CONNECTION=, SEED=. MANY and LOG_ROWS need about 3 and 14 GB of
disk.
"""

import pathlib
import tempfile
import threading
import time

from bench_cell import postgres_with
from cost import cpu_seconds
from figures import figure, say, size, words
from harness.wait import until
from ledger import Ledger, drain

SAMPLE_SECONDS = 0.01

# names as bench-load makes them: a and at least six digits
FILL_ACCOUNTS = """
INSERT INTO ch.accounts (org_id, account_id, name, asset, scale)
  SELECT 1, nextval('ch.account_seq'), 'a' || CASE WHEN n < 1000000
    THEN lpad(n::text, 6, '0') ELSE n::text END, 'USD', 2
  FROM generate_series(%d, %d - 1) n;
INSERT INTO ch.balances (org_id, account_id, balance, floor, last_at)
  SELECT 1, account_id, 0, -100000000000000, '2020-01-01' FROM ch.accounts a
  WHERE NOT EXISTS (SELECT FROM ch.balances b WHERE b.org_id = a.org_id
    AND b.account_id = a.account_id)
"""

# A partition of today that was full before: filled alone, indexed, attached.
# Ids ascend through the day as those of many producers do.
FILL_LOG = """
SET search_path = ch;
SET maintenance_work_mem = '1GB';
CREATE TABLE filled (LIKE command_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS
  INCLUDING STORAGE);
INSERT INTO filled SELECT 1, (lpad(to_hex((extract(epoch FROM
    '{day}'::timestamptz) * 1000)::int8 + i * 3600000 / {rows}), 12, '0')
    || '7' || substr(h, 1, 3) || '8' || substr(h, 4, 15))::uuid,
  '{day}', 1000, i, 0, i, 'kafka', i, now(), 'transfer.post', 'applied',
  decode(h || h, 'hex'), 'acme/a000000', '{{}}', '{{}}'
  FROM (SELECT i, md5(i::text) AS h FROM generate_series(1, {rows}::int8) i) x;
ALTER TABLE command_log DETACH PARTITION {child};
INSERT INTO filled SELECT * FROM {child};
DROP TABLE {child};
ALTER TABLE filled RENAME TO {child};
ALTER TABLE {child} ADD PRIMARY KEY (org_id, id, day);
CREATE INDEX ON {child} (stream, log_seq);
ALTER TABLE command_log ATTACH PARTITION {child}
  FOR VALUES FROM ('{day}') TO ('{day}'::date + 1)
"""


def owners(cur):
    """(partitions taken, by how many backends)"""
    cur.execute("SELECT count(backend_pid), count(DISTINCT backend_pid) "
                "FROM consumer_partitions c JOIN pg_stat_activity a "
                "ON a.pid = c.backend_pid WHERE topic LIKE 'bench.writers%'")
    return cur.fetchone()


def cpu_of(cost):
    return cost["writer_cpu_us"] + cost["backend_cpu_us"]


class Scale(Ledger):
    def __init__(self, cell, folder):
        super().__init__(cell, folder)
        self.buffers, = words("SHARED_BUFFERS", "2GB")
        postgres_with(cell, shared_buffers=self.buffers)
        self.few = size("FEW", 10000)
        self.accounts = self.few

    def cost(self, case, base=None, accounts=None, **shares):
        """(rate, cost), from another database or with other shares."""
        was = self.base, self.accounts, self.shares
        self.base = base or self.base
        self.accounts = accounts or self.accounts
        self.shares = {**self.shares, **shares}
        try:
            rate, cost, name = self.ours(case)
        finally:
            self.base, self.accounts, self.shares = was
        self.drop(name)
        return rate, cost

    def compare_cost(self, name, case, **large):
        runs = [(self.cost(case), self.cost(case, **large))
                for _ in range(size("REPEAT", 3))]
        (small_rate, small_cost), (rate, cost) = (
            min(side, key=lambda told: cpu_of(told[1]))
            for side in zip(*runs))
        figure("ledger-scale", name, "us of CPU a command", cpu_of(cost),
               cpu_of(small_cost), peer_is="the same when small", of=case,
               rate=rate, rate_small=small_rate, connection=self.kind,
               shared_buffers=self.buffers, commands=self.count,
               wal_bytes_small=small_cost["wal_bytes"],
               backend_cpu_us_small=small_cost["backend_cpu_us"], **cost)

    def filled(self, *statements):
        """A copy of the base in which these have run."""
        name = self.copy_of(self.base)
        for sql in statements:
            self.as_superuser(name, *[s for s in sql.split(";") if s.strip()])
        self.as_superuser(name, "VACUUM (FREEZE, ANALYZE)", "CHECKPOINT")
        return name

    # ---- the parts

    def part_accounts(self):
        many = size("MANY", 10000000)
        say(f"filling {many} accounts")
        name = self.filled(FILL_ACCOUNTS % (self.few, many))
        say("filled")
        self.compare_cost(f"{many} accounts beside {self.few}", "uniform",
                          base=name, accounts=many)
        self.drop(name)

    def part_log(self):
        rows = size("LOG_ROWS", 50000000)
        day = time.strftime("%Y-%m-%d", time.gmtime())
        say(f"filling {rows} rows of log")
        name = self.filled(FILL_LOG.format(
            day=day, rows=rows, child="command_log_" + day.replace("-", "")))
        say("filled")
        self.compare_cost(f"{rows} rows of log beside none", "uniform",
                          base=name)
        self.drop(name)

    def part_shares(self):
        for case in ("hot", "uniform"):
            for share in ("duplicates", "refusals"):
                self.compare_cost(f"{case}, 10 % {share}", case,
                                  **{share: 10})

    def part_backlog(self):
        was, self.count = self.count, size("BACKLOG", 1000000)
        rate, cost = self.cost("uniform")
        figure("ledger-scale", "peak memory, writer", "MiB",
               cost["writer_peak_mib"], backlog=self.count, rate=rate)
        self.count = was

    def part_writers(self):
        for writers in (1, 2):
            self.writers(writers)

    def writers(self, writers):
        topic = self.kafka.unique("bench.writers")
        self.kafka.create(topic, partitions=2)
        name = self.copy_of(self.base)
        db = self.cell.connect("owner", name)
        self.checkpoint()
        daemons = [self.writer(name, topic) for _ in range(writers)]
        count = self.count
        with db.cursor() as cur:
            until(lambda: owners(cur) == (2, writers), 60,
                  "each writer has its partition", every=0.2)
        self.load("produce", topic=topic, case="uniform", count=count,
                  accounts=self.accounts, seed=self.seed)
        waits = Waits(self.cell.connect("superuser", name), name)
        try:
            with db.cursor() as cur:
                rate, seconds, _ = drain(cur, topic, count)
            waits.stop()
            retries = sum(w.metric("ledger_retries_total") or 0
                          for w in daemons)
            cpu = sum(cpu_seconds(w.pid) for w in daemons)
        finally:
            waits.stop()
            for daemon in daemons:
                daemon.stop()
        figure("ledger-scale", f"{writers} writers, two partitions, uniform",
               "commands/s", rate, connection=self.kind, commands=count,
               accounts=self.accounts, seconds=seconds, retries=retries,
               writer_cpu_us=cpu / count * 1e6, **waits.shares())
        db.close()
        self.drop(name)

    def measure(self):
        for part in words("PARTS", "accounts log shares backlog writers"):
            getattr(self, f"part_{part}")()


class Waits:
    """Samples what the writers' backends of a database wait for."""

    def __init__(self, db, database):
        self.db, self.database = db, database
        self.seen = {}
        self.over = False
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        with self.db.cursor() as cur:
            while not self.over:
                cur.execute(
                    "SELECT CASE WHEN state = 'active' THEN coalesce("
                    "wait_event_type, 'running') ELSE 'not asked' END "
                    "FROM pg_stat_activity WHERE datname = %s AND "
                    "usename = 'ch_writer'", (self.database,))
                for (what,) in cur.fetchall():
                    self.seen[what] = self.seen.get(what, 0) + 1
                time.sleep(SAMPLE_SECONDS)

    def stop(self):
        if self.over:
            return
        self.over = True
        self.thread.join()
        self.db.close()

    def shares(self):
        total = sum(self.seen.values()) or 1
        return {"lock_wait": self.seen.get("Lock", 0) / total,
                "running": self.seen.get("running", 0) / total,
                "samples": total}


def measure(cell):
    with tempfile.TemporaryDirectory(prefix="ch-bench-") as folder:
        bench = Scale(cell, pathlib.Path(folder))
        try:
            bench.prepare()
            bench.measure()
        finally:
            bench.drop_all()
