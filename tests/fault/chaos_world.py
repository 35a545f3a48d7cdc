"""Where the relay meets its faults: a Kafka and a PostgreSQL of its own, and
an active and a standby relay, each behind proxies of its own to both; and an
HTTP endpoint that some of the events go to as well."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import uuid

import psycopg2
from chaos_hook import Hook
from fault_fleet import Fleet, Place, is_stopped

from harness.cell import Cell
from harness.kafka import Kafka, kcat_to_end
from harness.ports import free_port
from harness.small_disk import shim
from harness.tcp_proxy import Proxy, before_postgres
from harness.wait import until

PARTITIONS = 4
KINDS = ("plain", "skip", "block")  # and what follows a refused event
TOPIC_MAX = 20000     # bytes of a batch, where events are refused
MESSAGE_MAX = 60000   # bytes of a record, in a relay
# Of each: one asks the topic what the other refuses itself.
MESSAGE_MAXES = (MESSAGE_MAX, TOPIC_MAX + 2000)


class OwnCell(Cell):
    """Its servers may be hurt; their disks are full while told so."""

    def __init__(self, kafka_listeners):
        super().__init__()
        self.kept = False
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="ch-chaos-"))
        self.state.chmod(0o755)
        self.disks = {"broker": self.state / "kafka",
                      "postgres": self.state / "postgres" / "data" / "base"}
        self.more = {"CH_KAFKA_PROXIED": kafka_listeners,
                     **shim(self.state, *self.disks.values())}

    def fill(self, disk):
        (self.disks[disk] / "full").touch()

    def make_room(self, disk):
        (self.disks[disk] / "full").unlink()

    def pid(self, server):
        return int((self.state / "run" / f"{server}.pid").read_text())


class World(Fleet):
    """A fleet without writers of the ledger."""

    def __init__(self, directory, rng, seed):
        self.dir, self.rng = directory, rng
        self.failpoint_log = directory / "failpoints.log"
        self.connection = None
        self.writers = []
        self.relays = [Place(self, "outbox-relay", f"r{n}") for n in (0, 1)]
        self.slot = f"s{uuid.uuid4().hex[:8]}"
        self.prefix = "event."
        self.topics = {kind: f"{self.prefix}{kind}" for kind in KINDS}
        ports = set()
        while len(ports) < 2:
            ports.add(free_port())
        self.kafka_links = [Proxy("127.0.0.1", port) for port in ports]
        self.postgres_links = []
        self.hook = Hook(directory, seed)
        self.cell = OwnCell(" ".join(f"{port}:{link.port}" for port, link in
                                     zip(ports, self.kafka_links)))

    def start(self):
        self.cell.start()
        self.kafka = Kafka(self.cell.bootstrap)
        self.database = self.cell.fresh_database()
        self.kafka.create(self.topics["plain"], partitions=PARTITIONS)
        self.kafka.create(self.topics["skip"], self.topics["block"],
                          partitions=PARTITIONS,
                          config=[f"max.message.bytes={TOPIC_MAX}"])
        self.urls = []
        for place in self.relays:
            link, url = before_postgres(
                self.cell.url("relay", self.database),
                self.dir / f"{place.name}.pass")
            self.postgres_links.append(link)
            self.urls.append(url)
        for place in self.relays:
            place.spawn()
        for place in self.relays:
            place.now.wait_ready(120)
        return self

    def flags(self, place):
        n = self.relays.index(place)
        return {"bootstrap": f"127.0.0.1:{self.kafka_links[n].port}",
                "database_url": self.urls[n], "slot": self.slot,
                "outbox_prefix": self.prefix, "message_max": MESSAGE_MAXES[n],
                # as long as a slow machine needs: it must end with status 0
                "drain_deadline": "100s",
                "webhooks": str(self.hook.conf),
                "routes": f"skip={self.topics['skip']}:skip"}

    # ---- who is who

    def awake(self):
        return [place for place in self.relays
                if place.now.running() and not place.stopped()]

    def leads(self, place):
        """Not who dies while it is asked, at a failpoint of ours."""
        try:
            return place.now.metric("relay_leader") == 1
        except AssertionError:
            if place.doomed and place.dead():
                return False
            raise

    def leader_or_one(self, rng):
        """Who leads at the moment; nobody: one of the two."""
        one = rng.choice(self.relays)
        return next((p for p in self.awake() if self.leads(p)), one)

    def other(self, place):
        return next(p for p in self.relays if p is not place)

    # ---- what it does

    def delivered(self):
        """How much each living relay has delivered."""
        return {place.pid: place.now.metric("relay_rows_delivered_total")
                for place in self.awake()}

    def tail(self, kind):
        """Ids of the last records of each partition."""
        try:
            out = kcat_to_end(self.cell.bootstrap, self.topics[kind], "-f",
                              "%h\n", start="-300")
        except subprocess.CalledProcessError:
            return set()  # no broker now
        return set(re.findall(r"\bid=([0-9a-f-]{36})", out.decode()))

    def superuser(self, text, args=()):
        """One statement, when PostgreSQL answers; None: it was refused, or
        there is none now: another fault's doing."""
        try:
            db = self.cell.connect("superuser", self.database)
        except psycopg2.OperationalError:
            return None
        try:
            with db.cursor() as cur:
                cur.execute(text, args)
                return cur.fetchall() if cur.description else []
        except psycopg2.Error:
            return None
        finally:
            db.close()

    def backend(self, text, args=()):
        """The pid that this finds, or None."""
        rows = self.superuser(text, args)
        return rows[0][0] if rows else None

    def discard(self):
        """An operator discards the dead letters that block nothing."""
        self.superuser(
            "INSERT INTO letter_states (letter_id, state, actor, reason) "
            "SELECT letter_id, 'discarded', 'ann', 'chaos' FROM dead_letters "
            "WHERE topic = %s ON CONFLICT DO NOTHING", (self.topics["skip"],))

    def state(self):
        try:
            return "\n".join(
                f"{place.client_id}: {place.now.get('/readyz?verbose')[1]}"
                f"{place.now.logged()[-1500:]}" for place in self.awake())
        except AssertionError as away:
            return str(away)

    def stop(self):
        """Both relays are well, and end in order; what did not."""
        for place in self.relays:
            place.now.wait_ready(120)
        ended = {place.client_id: place.stop() for place in self.relays}
        return [f"{name} ended with status {status}"
                for name, status in ended.items() if status != 0]

    def destroy(self):
        self.kill()
        for link in self.kafka_links + self.postgres_links:
            link.close()
        self.hook.close()
        if self.connection is not None:
            self.connection.close()
        for place in self.relays:
            for life in place.lives[:-1]:
                shutil.rmtree(life.dir, ignore_errors=True)
        self.cell.stop()


def signal_process(pid, number):
    """True: it was there."""
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


def freeze(pid):
    """SIGSTOP, and it stands (the signal is only sent when kill() returns: who
    asks at once may take it for awake); returns what undoes it."""
    if signal_process(pid, signal.SIGSTOP):
        until(lambda: is_stopped(pid), 60, f"process {pid} stands")
    return lambda: signal_process(pid, signal.SIGCONT)


def settle(condition, seconds):
    """Whether the condition comes true in that time."""
    try:
        return bool(until(condition, seconds))
    except AssertionError:
        return False
