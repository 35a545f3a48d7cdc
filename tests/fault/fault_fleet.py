"""The fleet that is killed: two writers, a relay and its standby, each a place
that gets a new process when the old one has died.

Every process has a file of failpoint rules of its own; all write what acted to
one log. A process that ends without having been killed here fails the test at
the next look.
"""

import os
import signal
import uuid

import psycopg2

from harness.daemon import Daemon
from harness.wait import until

PARTITIONS = 4
AGGREGATES = ("account", "market", "order", "stock", "trade")
SESSION = "6s"  # after so long without a sign a writer's partitions are given


def is_stopped(pid):
    """By SIGSTOP, or for ever."""
    try:
        stat = open(f"/proc/{pid}/stat").read()
    except FileNotFoundError:
        return True
    return stat.rpartition(")")[2].split()[0] in "TZX"


class Place:
    """One place in the fleet. lives: every process that stood in it."""

    def __init__(self, fleet, program, name):
        self.fleet, self.program, self.name = fleet, program, name
        self.lives = []
        self.doomed = False  # its end is ours

    @property
    def now(self):
        return self.lives[-1]

    @property
    def pid(self):
        return self.now.pid

    @property
    def client_id(self):
        return f"{self.name}.{len(self.lives)}"

    def spawn(self):
        self.rules = self.fleet.dir / f"{self.name}.{len(self.lives) + 1}"
        self.rules.write_text("")
        env = {"CH_FAILPOINTS_FILE": str(self.rules),
               "CH_FAILPOINTS_LOG": str(self.fleet.failpoint_log)}
        flags = self.fleet.flags(self)
        flags["client_id"] = f"{self.name}.{len(self.lives) + 1}"
        self.doomed = False
        self.lives.append(Daemon(self.program, env=env, wait_ready=False,
                                 **flags))

    def arm(self, point, action):
        """From its next hit on; a new file, so that no half of it is read."""
        self.doomed = action == "kill"
        self.write_rules(f"{point}={action}\n")

    def disarm(self):
        self.write_rules("")

    def write_rules(self, text):
        fresh = self.rules.with_suffix(".new")
        fresh.write_text(text)
        os.replace(fresh, self.rules)

    def fired(self):
        return [line for line in self.fleet.fired() if line[2] == self.pid]

    def stopped(self):
        return is_stopped(self.pid)

    def kill(self):
        self.doomed = True
        self.now.signal(signal.SIGKILL)

    def stop(self):
        """SIGTERM; the exit status."""
        self.doomed = True
        return self.now.stop()

    def dead(self):
        return self.now.process.poll() is not None

    def wait_killed(self, what):
        self.fleet.wait(self.dead, 90, f"{self.client_id} dies {what}")
        self.check_killed()

    def check_killed(self):
        assert self.now.process.returncode == -signal.SIGKILL, (
            self.now.process.returncode, self.now.logged()[-3000:])

    def wake(self):
        self.disarm()
        self.now.signal(signal.SIGCONT)

    def events(self, name):
        """Lines of that event in the logs of all its processes."""
        return [line for life in self.lives
                for line in life.logged().splitlines()
                if f"event={name} " in line + " "]


class Fleet:
    def __init__(self, cell, kafka, database, directory, rng):
        self.cell, self.kafka, self.database = cell, kafka, database
        self.dir, self.rng = directory, rng
        self.failpoint_log = directory / "failpoints.log"
        tag = uuid.uuid4().hex[:8]
        self.commands = f"commands.{tag}"
        self.results = f"results.{tag}"
        self.prefix = f"event.{tag}."
        self.events = {kind: f"{self.prefix}{kind}" for kind in AGGREGATES}
        self.control, self.alerts = f"control.{tag}", f"alerts.{tag}"
        self.group, self.slot = f"writers.{tag}", f"s{tag}"
        self.connection = None
        self.writers = [Place(self, "ledger-writer", f"w{n}") for n in (0, 1)]
        self.relays = [Place(self, "outbox-relay", f"r{n}") for n in (0, 1)]

    @property
    def places(self):
        return self.writers + self.relays

    def start(self):
        self.kafka.create(self.commands, f"{self.commands}.dlq", self.results,
                          *self.events.values(), partitions=PARTITIONS)
        self.kafka.create(self.control, self.alerts, partitions=1)
        for place in self.places:
            place.spawn()
        for place in self.places:
            place.now.wait_ready()
        return self

    def flags(self, place):
        if place.program == "outbox-relay":
            return {
                "bootstrap": self.cell.bootstrap,
                "database_url": self.cell.url("relay", self.database),
                "slot": self.slot, "results_topic": self.results,
                "outbox_prefix": self.prefix,
                "topic_wait": "2s", "routes": f"fleet.control={self.control},"
                          f"fleet.alerts={self.alerts}"}
        flags = {
            "bootstrap": self.cell.bootstrap,
            "database_url": self.cell.url("writer", self.database),
            "group": self.group, "commands_topics": self.commands,
            # none: the group would spread the partitions of both topics
            # together, and leave a writer without commands
            "trades_topics": "", "fills_topics": "", "session_timeout": SESSION}
        # a static member gets its partitions back when it returns; the others'
        # are given away. Which, is chance: both must hold.
        if self.rng.random() < 0.75:
            flags["instance"] = place.name
        return flags

    # ---- what it does

    def sql(self, text, args=()):
        """A read, asked again when PostgreSQL is restarted meanwhile."""
        def ask():
            try:
                if self.connection is None:
                    self.connection = self.cell.connect("owner",
                                                        self.database)
                with self.connection.cursor() as cur:
                    cur.execute(text, args)
                    return [cur.fetchall()]
            except psycopg2.Error as away:
                # no SQLSTATE: nobody answered; 57: the server is stopping
                if away.pgcode and not away.pgcode.startswith("57"):
                    raise
                self.connection = None
                return None
        return until(ask, 60, "PostgreSQL answers")[0]

    def consumed(self):
        return self.sql("SELECT coalesce(sum(next_offset), 0)::int8 FROM "
                        "consumer_partitions WHERE topic = %s",
                        (self.commands,))[0][0]

    def owners(self):
        return dict(self.sql("SELECT part, owner FROM consumer_partitions "
                             "WHERE topic = %s", (self.commands,)))

    def owned_by(self, place):
        return [part for part, owner in self.owners().items()
                if owner == place.client_id]

    def leader(self):
        """The relay that relays."""
        def leads():
            for place in self.relays:
                if place.now.running() and not place.stopped() \
                        and place.now.metric("relay_leader") == 1:
                    return place
            return None
        return self.wait(leads, 60, "a relay leads")

    def end_sessions(self, place):
        """What PostgreSQL does to a peer that is silent for too long."""
        db = self.cell.connect("superuser", self.database)
        with db.cursor() as cur:
            cur.execute("SELECT pg_terminate_backend(pid) FROM "
                        "pg_stat_activity WHERE datname = current_database() "
                        "AND application_name = %s", (place.client_id,))
            ended = cur.rowcount
        db.close()
        return ended

    def progress(self, records, seconds=90):
        """Waits until so many more records are committed."""
        begun = self.consumed()
        self.wait(lambda: self.consumed() >= begun + records, seconds,
                  f"{records} more records behind {begun}")

    def both_write(self):
        """Both writers own partitions: each can be killed at its work."""
        self.wait(lambda: all(self.owned_by(w) for w in self.writers), 90,
                  "both writers own partitions")

    def fired(self):
        """(point, action, pid, µs) of every failpoint that acted."""
        if not self.failpoint_log.exists():
            return []
        return [(point, action, int(pid), int(us)) for point, action, pid, us
                in map(str.split, self.failpoint_log.read_text().splitlines())]

    def check_alive(self):
        for place in self.places:
            code = place.now.process.poll()
            if code is None or place.doomed:
                continue
            raise AssertionError(
                f"{place.client_id} ended by itself, status {code}:\n"
                f"{place.now.logged()[-3000:]}")

    def wait(self, condition, seconds, what, every=0.05):
        """until(), as long as nobody dies unasked; says who owns what."""
        def alive():
            self.check_alive()
            return condition()
        try:
            return until(alive, seconds, what, every)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.state()}") from late

    def state(self):
        try:
            return f"owners {self.owners()}, consumed {self.consumed()}"
        except AssertionError as away:
            return str(away)

    def kill(self):
        for place in self.places:
            if place.lives:
                place.now.kill()
