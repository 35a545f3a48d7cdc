"""Where plans of dead letters are run and disturbed: a Kafka and a PostgreSQL
of their own, a relay, and people who run, stop, discard and edit meanwhile.

A wave is some letters and their plans; what disturbs a run is a function of it
that returns when the run has ended, or was left to another.
"""

import os
import random
import signal
import subprocess
import tempfile
import threading
import uuid
from pathlib import Path

import psycopg2

from harness.cell import Cell
from harness.daemon import Daemon
from harness.kafka import Kafka
from harness.relay_rows import Cell as Rows
from harness.wait import until

POINTS = ("relay.in_replay", "relay.after_replay", "relay.before_decision",
          "relay.after_decision")
PAGE = 100     # letters, at most
TOPIC_MAX = 20000
NEAR = 12      # letters of the page of one that is refused
KEYS = 6
DONE, REFUSED = 0, 2


class OwnCell(Cell):
    """Its servers may be killed."""

    def __init__(self):
        super().__init__()
        self.kept = False
        self.state = Path(tempfile.mkdtemp(prefix="ch-replay-"))
        self.state.chmod(0o755)


class Run:
    """`dlq run` of a plan, in the background."""

    def __init__(self, world, plan, rule=""):
        self.world, self.plan = world, plan
        tag = uuid.uuid4().hex[:8]
        self.rules = world.dir / f"{tag}.rules"
        self.log = world.dir / f"{tag}.log"
        self.out = world.dir / f"{tag}.out"
        self.rest = threading.Event()
        self.rules.write_text(rule)
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen(
                world.rows.dlq_command("run", str(plan), "--actor", "runner"),
                stdout=out, stderr=out,
                env={**os.environ, "CH_FAILPOINTS_FILE": str(self.rules),
                     "CH_FAILPOINTS_LOG": str(self.log)})

    def running(self):
        return self.process.poll() is None

    def signal(self, number):
        if self.running():
            self.process.send_signal(number)

    def stands(self):
        """Stopped, by whom ever."""
        try:
            stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        except FileNotFoundError:
            return False
        return stat.rpartition(")")[2].split()[0] == "T"

    def ended(self, seconds=120):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"plan {self.plan} does not end: "
                                 f"{self.out.read_text()[-2000:]}") from None

    def end_session(self):
        """As a network or a timeout ends it."""
        self.world.superuser(
            "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a "
            "JOIN pg_locks l USING (pid) WHERE l.locktype = 'advisory' "
            "AND a.application_name = 'outbox-relay dlq'")


class World:
    def __init__(self, directory, seed):
        self.dir, self.rng = directory, random.Random(seed)
        self.cell = OwnCell()
        self.relay = self.db = None
        self.doubts = []  # (plan, first place, last): was sent once more
        self.runs = []
        self.events = []  # (key, id) in their order

    def start(self):
        self.cell.start()
        self.kafka = Kafka(self.cell.bootstrap)
        self.database = self.cell.fresh_database()
        self.rows = Rows(self.cell, self.kafka, self.database, self)
        self.rows.topics()
        self.relay = Daemon("outbox-relay", **self.rows.flags())
        return self

    def stop(self):
        for run in self.runs:
            if run.running():
                run.process.kill()
            run.process.wait()
        if self.relay is not None:
            self.relay.kill()
        if self.db is not None:
            self.db.close()
        self.cell.stop()

    # ---- PostgreSQL, also when it was away

    def cursor(self):
        """What relay_rows takes for a connection."""
        if self.db is None or self.db.closed:
            self.db = until(self.connected, 60, "PostgreSQL answers")
        return self.db.cursor()

    def connected(self):
        try:
            return self.cell.connect("owner", self.database)
        except psycopg2.Error:
            return None

    def sql(self, text, args=()):
        def asked():
            try:
                with self.cursor() as cur:
                    cur.execute(text, args)
                    return (cur.fetchall() if cur.description else [],)
            except psycopg2.Error as away:
                if away.pgcode and away.pgcode[:2] != "57":
                    raise
                self.db.close()
                return None
        return until(asked, 60, text)[0]

    def superuser(self, text):
        db = self.cell.connect("superuser", self.database)
        with db.cursor() as cur:
            cur.execute(text)
        db.close()

    # ---- letters and plans

    def wave(self, count):
        """Letters of the ledger, and of events whose topic is not there yet;
        the plans for them: one of each kind, a second one of the first's."""
        tag = self.tag = uuid.uuid4().hex[:6]
        rows, late = self.rows, self.rows.prefix + tag
        rows.commands = f"commands{tag}"
        rows.streams, rows.log_seq = {}, {}
        self.kafka.create(rows.commands,
                          config=[f"max.message.bytes={TOPIC_MAX}"])
        for n in range(count):
            self.letter(self.rng.randrange(KEYS), b"%d" % n)
            if n == count // 2:
                self.letter("big", b"0 " + self.rng.randbytes(2 * TOPIC_MAX))
                self.letter("big", b"1")
        self.letter("loop", b"0", [(b"ch_replay_count", b"5")])
        self.letter("loop", b"1")
        # the ledger has read whatever comes
        self.sql("UPDATE consumer_partitions SET next_offset = 1000000000")
        self.events = []
        self.more_events()
        until(lambda: self.sql("SELECT count(*) FROM dead_letters WHERE "
                               "topic = %s", (late,)) == [(KEYS,)], 60,
              "events are parked")
        self.more_events()
        ours = ["--topic", rows.commands]
        rate = ["--rate", self.rng.choice(("40", "100", "1000"))]
        canary = ["--canary", str(self.rng.randrange(1, 9))]
        self.plans = [self.approved(*ours, *canary, *rate),
                      self.approved(*ours),
                      self.approved("--topic", late)]
        self.kafka.create(late)

    def letter(self, key, value, headers=()):
        self.rows.rejected(part=key % 2 if isinstance(key, int) else 1,
                           key=f"{self.tag}-{key}".encode(), value=value,
                           headers=headers)

    def event(self, key):
        self.events.append((key, self.rows.event(key, self.tag)))

    def more_events(self):
        for key in range(KEYS):
            self.event(f"{self.tag}-{key}")

    def dlq(self, *args):
        return self.rows.run_dlq(*args)

    def approved(self, *args):
        made = self.dlq("plan", "--reason", "mended", "--actor", "ann", *args)
        assert made.returncode == 0, made.stderr
        number = int(made.stdout.rsplit("\nplan ", 1)[1].split()[0])
        said = self.dlq("approve", str(number), "--reason", "ok", "--actor",
                        "bob")
        assert said.returncode == 0, said.stderr
        return number

    def at(self, plan):
        return self.sql("SELECT next_place FROM replay_plans "
                        "WHERE plan_id = %s", (plan,))[0][0]

    def state(self, plan):
        return self.sql("SELECT state FROM replay_plans WHERE plan_id = %s",
                        (plan,))[0][0]

    def run(self, plan, rule=""):
        self.runs.append(Run(self, plan, rule))
        return self.runs[-1]

    def doubt(self, plan, since=None):
        """Whoever ran it may have sent the page that stands there; since: each
        from that place on."""
        at = self.at(plan)
        self.doubts.append((plan, at if since is None else since, at + PAGE))

    def moment(self, run):
        """Until its run has decided some letters, or a little later."""
        goal = self.at(run.plan) + self.rng.choice((0, 1, 3, 10, 30))
        until(lambda: self.at(run.plan) >= goal or not run.running(), 60,
              f"plan {run.plan} at {goal}", every=0.005)
        run.rest.wait(self.rng.choice((0, 0, 0.005, 0.02, 0.1)))

    def waiting(self, plan):
        """A letter that the plan has not decided, soon or late to come."""
        rows = self.sql(
            "SELECT letter_id::text FROM replay_plan_letters l "
            "JOIN replay_plans p USING (plan_id) WHERE plan_id = %s "
            "AND place >= next_place AND place < next_place + 20 "
            "ORDER BY place", (plan,))
        return self.rng.choice(rows)[0] if rows else None

    def finish(self, plan):
        """Runs it to its end, however it was left."""
        def done():
            if self.state(plan) == "done":
                return True
            if self.run(plan).ended() not in (DONE, REFUSED):
                self.doubt(plan)
            return self.state(plan) == "done"
        until(done, 180, f"plan {plan} done", every=0.3)


    def left(self):
        return [p for p in self.plans if self.state(p) != "done"]

    def finish_all(self):
        """And what is open still, in a plan of its own."""
        for plan in self.plans:
            self.finish(plan)
        self.plans.append(self.approved(
            "--where", f"topic in ('{self.rows.commands}', "
            f"'{self.rows.prefix}{self.tag}')"))
        self.finish(self.plans[-1])

    def in_doubt(self, letter):
        """How often more it may stand than it was sent."""
        times = 0
        for plan, place in self.sql(
                "SELECT plan_id, place FROM replay_plan_letters "
                "WHERE letter_id = %s", (letter,)):
            times += sum(1 for of, first, last in self.doubts
                         if of == plan and first <= place <= last)
            if any(abs(place - big) <= NEAR for big in self.refused(plan)):
                times += 2 * sum(1 for run in self.runs if run.plan == plan)
        return times

    def refused(self, plan):
        """Places of letters that their topic refuses: all of their page is
        sent once more, alone."""
        return [p for p, in self.sql(
            "SELECT place FROM replay_plan_letters WHERE plan_id = %s "
            "AND bytes > %s", (plan, TOPIC_MAX))]


# ---- what disturbs a run

def killed(world, plan):
    run = world.run(plan)
    world.moment(run)
    run.signal(world.rng.choice((signal.SIGKILL, signal.SIGTERM)))
    run.ended()
    world.doubt(plan)


def killed_at(point):
    def fault(world, plan):
        run = world.run(plan, f"{point}=kill@{world.rng.randrange(1, 4)}\n")
        run.ended()
        world.doubt(plan)
    fault.__name__ = f"killed_at_{point.partition('.')[2]}"
    return fault


def stands_and_another_goes_on(world, plan):
    """At a place of its page; its session ends, somebody discards a letter of
    that page, another run goes on; then it wakes."""
    point = world.rng.choice(POINTS[:3])
    run = world.run(plan, f"{point}=stop@{world.rng.randrange(1, 4)}\n")
    until(lambda: run.stands() or not run.running(), 60, "it stands")
    world.doubt(plan)
    if not run.running():
        return
    letter = world.waiting(plan)
    run.end_session()
    if letter is not None and world.rng.random() < 0.7:
        until(lambda: world.dlq("discard", letter, "--reason",
                                "meanwhile").returncode in (DONE, REFUSED), 60,
              "its letter is free")
    other = world.run(plan)
    if world.rng.random() < 0.5:
        other.ended()
    run.signal(signal.SIGCONT)
    run.ended()
    if other.ended() not in (DONE, REFUSED):
        world.doubt(plan)


def frozen(world, plan):
    """Anywhere; it goes on as if nothing had been."""
    run = world.run(plan)
    world.moment(run)
    run.signal(signal.SIGSTOP)
    run.rest.wait(world.rng.choice((0.1, 0.5)))
    run.signal(signal.SIGCONT)
    run.ended()


def session_ended(world, plan):
    run = world.run(plan)
    world.moment(run)
    run.end_session()
    run.ended()
    world.doubt(plan)


def stopped(world, plan):
    run = world.run(plan)
    world.moment(run)
    said = world.dlq("stop", str(plan), "--reason", "lunch")
    assert said.returncode in (DONE, REFUSED), said.stderr
    assert run.ended() in (DONE, REFUSED), run.out.read_text()[-2000:]


def postgres_killed(world, plan):
    run = world.run(plan)
    world.moment(run)
    world.cell.script("postgres.sh", world.rng.choice(("immediate", "kill")))
    world.cell.script("postgres.sh", "start")
    run.ended()
    world.doubt(plan)


def broker_killed(world, plan):
    since = world.at(plan)
    run = world.run(plan)
    world.moment(run)
    world.cell.script("kafka.sh", "kill")
    world.cell.script("kafka.sh", "start")
    run.ended()
    world.doubt(plan, since)


def two_at_once(world, plan):
    first, second = world.run(plan), world.run(plan)
    codes = [first.ended(), second.ended()]
    assert set(codes) <= {DONE, REFUSED}, codes


def two_plans_of_the_same(world, plan):
    ours = world.plans[:2]
    runs = [world.run(p) for p in ours if world.state(p) != "done"]
    if world.rng.random() < 0.5 and runs:
        world.moment(runs[0])
        world.rng.choice(runs).signal(signal.SIGKILL)
    for run in runs:
        if run.ended() not in (DONE, REFUSED):
            world.doubt(run.plan)


def letters_change_meanwhile(world, plan):
    run = world.run(plan)
    for _ in range(3):
        letter = world.waiting(plan)
        if letter is None:
            break
        if world.rng.random() < 0.6:
            said = world.dlq("discard", letter, "--reason", "no need")
        else:
            path = world.dir / "edit"
            value = world.sql("SELECT value FROM letters WHERE letter_id = %s",
                              (letter,))[0][0]
            path.write_bytes(bytes(value) + b" ")
            said = world.dlq("edit", letter, "--set-file", str(path),
                             "--reason", "wrong")
        assert said.returncode in (DONE, REFUSED), said.stderr
    run.ended()


def events_come(world, plan):
    """New ones of the keys whose letters are sent."""
    ends = threading.Event()
    run = world.run(plan)
    while run.running() and not ends.wait(0.05):
        world.more_events()
    run.ended()


DECK = [killed, *map(killed_at, POINTS), stands_and_another_goes_on, frozen,
        session_ended, stopped, postgres_killed, broker_killed, two_at_once,
        two_plans_of_the_same, letters_change_meanwhile, events_come]
