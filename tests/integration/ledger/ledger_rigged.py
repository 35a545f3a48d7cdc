"""Writers of the failpoints build, which die or stop where one says; and lanes:
ledgers of their own that are put to the test side by side, since most of a
fault's time is waiting."""

import concurrent.futures
import os
import signal
import subprocess
import traceback

from harness.cell import OUT, ROOT
from harness.daemon import Daemon
from harness.tcp_proxy import before_postgres
from harness.wait import until
from ledger_kit import Ledger

BUILD = OUT.parent / "failpoints"


def build():
    """Makes the failpoints build of the writer when it is not there."""
    subprocess.run(["make", "-s", "-C", str(ROOT), "BUILD=failpoints",
                    f"OUT={BUILD}", f"{BUILD}/bin/ledger-writer"],
                   check=True, stdout=subprocess.PIPE,
                   stderr=subprocess.STDOUT)
    return BUILD


def proxied(ledger, path):
    """A proxy before PostgreSQL, and the flags of a writer that uses it."""
    proxy, url = before_postgres(
        ledger.cell.url("writer", ledger.database), path / "pass")
    return proxy, {"database_url": url}


class Rigged:
    """A place for a writer; each life of it has the place's rules. It reads
    commands only: the group would spread the partitions of all topics together,
    and might leave it without any."""

    def __init__(self, ledger, path, name, **flags):
        self.ledger, self.name, self.flags = ledger, name, flags
        self.rules, self.hits = path / f"{name}.rules", path / f"{name}.hits"
        self.rules.write_text("")
        self.hits.write_text("")
        self.lives = 0
        self.now = None

    def start(self, **more):
        self.lives += 1
        env = {"CH_FAILPOINTS_FILE": str(self.rules),
               "CH_FAILPOINTS_LOG": str(self.hits)}
        self.now = self.ledger.writer(
            out=BUILD, env=env, client_id=self.name,
            **{"wait_ready": False, "trades_topics": "", "fills_topics": "",
               **self.flags, **more})
        return self.now

    def arm(self, step, action):
        """From its next hit on; a new file, so that no half of it is read."""
        fresh = self.rules.with_suffix(".new")
        fresh.write_text(f"ledger.{step}={action}\n")
        os.replace(fresh, self.rules)

    def disarm(self):
        fresh = self.rules.with_suffix(".new")
        fresh.write_text("")
        os.replace(fresh, self.rules)

    def count(self, step):
        """How often it acted there."""
        return sum(line.startswith(f"ledger.{step} ")
                   for line in self.hits.read_text().splitlines())

    def ended(self):
        """Killed, and by nobody else."""
        code = self.now.process.poll()
        assert code in (None, -signal.SIGKILL), (
            code, self.now.logged()[-3000:])
        return code is not None

    def stopped(self):
        stat = open(f"/proc/{self.now.pid}/stat").read()
        return stat.rpartition(")")[2].split()[0] == "T"

    def wake(self):
        self.disarm()
        self.now.signal(signal.SIGCONT)

    def parts(self):
        """Partitions of the commands topic whose row names it."""
        return [row[0] for row in self.ledger.rows(
            "SELECT part FROM consumer_partitions WHERE topic = %s AND "
            "owner = %s", self.ledger.topic, self.name)]


class Lane(Ledger):
    """A ledger of its own, which counts what it sent."""

    def __init__(self, cell, kafka, path):
        self.started = []
        database = cell.fresh_database()
        super().__init__(cell, kafka, cell.connect("owner", database),
                         database, None)
        self.path = path
        self.total = 0
        path.mkdir()

    def writer(self, **flags):
        self.daemons = lambda name, **f: self.started.append(
            Daemon(name, **f)) or self.started[-1]
        return super().writer(**flags)

    def send(self, *commands, partition=None):
        super().send(*commands, partition=partition)
        self.total += len(commands)
        return commands

    def set_up(self, load, rate_rules=()):
        for step in load.setup():
            self.send(*step)
            self.wait_consumed(self.total)
        for rule in rate_rules:
            self.rows("SELECT set_rate_rule(%s, NULL, 'actor', %s, %s, %s, 1, "
                      "'test', 'a test')", *rule)

    def drained(self, seconds=60):
        until(lambda: self.consumed() >= self.total, seconds,
              f"{self.total} records consumed by {self.owners()}")

    def owners(self):
        return self.rows("SELECT part, owner, epoch, next_offset FROM "
                         "consumer_partitions WHERE topic = %s ORDER BY 1",
                         self.topic)

    def end_sessions(self, application):
        """What an operator or a timeout of PostgreSQL does."""
        db = self.cell.connect("superuser", self.database)
        with db.cursor() as cur:
            cur.execute("SELECT pg_terminate_backend(pid) FROM "
                        "pg_stat_activity WHERE datname = current_database() "
                        "AND application_name = %s", (application,))
            ended = cur.rowcount
        db.close()
        return ended

    def end(self):
        for daemon in self.started:
            daemon.kill()
        self.db.close()


def side_by_side(cell, kafka, path, works):
    """Runs each work(lane) in a lane of its own, and returns what they return;
    when all have ended, what failed is raised together."""
    lanes = [Lane(cell, kafka, path / f"lane{i}") for i in range(len(works))]
    try:
        with concurrent.futures.ThreadPoolExecutor(len(works)) as pool:
            done = [pool.submit(work, lane)
                    for work, lane in zip(works, lanes)]
        failed = [f"lane {i}:\n" + "".join(traceback.format_exception(
                      future.exception()))
                  for i, future in enumerate(done) if future.exception()]
        assert not failed, "\n".join(failed)
        return [future.result() for future in done]
    finally:
        for lane in lanes:
            lane.end()
        # not before all are ended: one stopped in COPY would hold it up
        for lane in lanes:
            cell.drop_database(lane.database)
