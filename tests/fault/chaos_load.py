"""Applications: threads that change aggregates and write what happened to
the outbox in the same transaction, an event a version. Some are slow to
commit, some take everything back, some take a part of it back (a savepoint).

What a writer knows of its events is kept: committed, taken back, or in doubt
(nobody answered its COMMIT). A few aggregates are poisoned: some of their
events are larger than their target takes.
"""

import json
import random
import threading
import time
import uuid

import psycopg2
from chaos_world import KINDS, TOPIC_MAX, MESSAGE_MAX
from psycopg2.extras import execute_values

WRITERS = 4
HEALTHY = [f"{kind}-{n}" for kind, count in zip(KINDS, (12, 4, 4))
           for n in range(count)]
POISONED = ["skip-poison", "block-poison"]
TABLE = """CREATE TABLE public.aggregates (
    key text PRIMARY KEY, version int8 NOT NULL DEFAULT 0)"""
INSERT = """INSERT INTO outbox (seq, id, aggregatetype, aggregateid, type,
    payload, created_at) VALUES %s"""
ROW = ("(nextval('batch_seq') * 1048576, %s::uuid, %s, %s, 'happened', %s, "
       "now())")


def large(size):
    """Is it refused for ever?"""
    return size > TOPIC_MAX


class Writer(threading.Thread):
    def __init__(self, world, seed, number):
        super().__init__(daemon=True)
        self.world, self.rng = world, random.Random(f"{seed}/{number}")
        self.ended = threading.Event()
        self.db = None
        self.committed, self.undone, self.doubtful = [], [], []
        self.full = 0  # transactions that found the disk full
        self.failure = None

    def run(self):
        try:
            while not self.ended.is_set():
                self.one()
                self.ended.wait(self.rng.uniform(0.02, 0.12))
        except Exception as bug:  # noqa: B902: told by the test's thread
            self.failure = bug

    def one(self):
        """One transaction. Only a server that is away, a full disk and a
        deadlock may refuse it."""
        made, answered = [], self.committed
        try:
            if self.db is None:
                self.db = self.world.cell.connect("owner", self.world.database)
                self.db.autocommit = False
            keep = self.change(made)
            if not keep:
                self.db.rollback()
                answered = self.undone
            else:
                answered = self.doubtful
                self.db.commit()
                answered = self.committed
        except psycopg2.Error as away:
            if away.pgcode and away.pgcode[:2] not in ("40", "53", "57"):
                raise
            # no SQLSTATE, or 57: a COMMIT may have been done and not answered
            if answered is not self.doubtful or (
                    away.pgcode and away.pgcode[:2] != "57"):
                answered = self.undone
            self.full += away.pgcode == "53100"
            self.db = None
        answered += made

    def change(self, made):
        """Its events' ids go to made; False: it is to be taken back."""
        rng = self.rng
        keys = rng.sample(HEALTHY, rng.choice((1, 1, 2, 3)))
        if rng.random() < 0.008:
            keys.append(rng.choice(POISONED))
        with self.db.cursor() as cur:
            for key in sorted(keys):
                self.events(cur, key, made)
            if rng.random() < 0.05:
                cur.execute("SAVEPOINT part")
                back = []
                self.events(cur, rng.choice(HEALTHY), back)
                cur.execute("ROLLBACK TO SAVEPOINT part")
                self.undone += back
        if rng.random() < 0.08:
            self.ended.wait(rng.uniform(0.1, 1.5))
        return rng.random() > 0.1

    def events(self, cur, key, made):
        count = self.rng.choice((1, 1, 1, 2, 4))
        cur.execute("UPDATE public.aggregates SET version = version + %s "
                    "WHERE key = %s RETURNING version", (count, key))
        last = cur.fetchone()[0]
        rows = [(str(uuid.uuid4()), key.partition("-")[0], key,
                 self.payload(key, version))
                for version in range(last - count + 1, last + 1)]
        made += [row[0] for row in rows]
        execute_values(cur, INSERT, rows, template=ROW)

    def payload(self, key, version):
        size = self.rng.randrange(0, 200)
        if key in POISONED and self.rng.random() < 0.5:
            size = self.rng.choice((TOPIC_MAX + 5000, MESSAGE_MAX + 5000))
        return json.dumps({"v": version, "pad": "%x" % self.rng.getrandbits(
            4 * size) if size else ""})


class Load:
    def __init__(self, world, seed):
        self.world = world
        self.writers = [Writer(world, seed, n) for n in range(WRITERS)]

    def start(self):
        db = self.world.cell.connect("owner", self.world.database)
        with db.cursor() as cur:
            cur.execute(TABLE)
            execute_values(cur, "INSERT INTO public.aggregates (key) VALUES "
                           "%s", [(key,) for key in HEALTHY + POISONED])
        db.close()
        for writer in self.writers:
            writer.start()
        return self

    def check(self):
        for writer in self.writers:
            if writer.failure is not None:
                raise AssertionError(f"a writer: {writer.failure!r}")

    def count(self):
        return sum(len(w.committed) for w in self.writers)

    def events(self, name):
        """committed, undone or doubtful ids of all writers."""
        return [id_ for w in self.writers for id_ in getattr(w, name)]

    def finish(self):
        """Ends it; the ids of one last event of each healthy aggregate."""
        for writer in self.writers:
            writer.ended.set()
        for writer in self.writers:
            writer.join(60)
            assert not writer.is_alive(), "a writer does not end"
        self.check()
        last, made = self.writers[0], {}
        db = self.world.cell.connect("owner", self.world.database)
        db.autocommit = False
        with db.cursor() as cur:
            for key in sorted(HEALTHY):
                ids = []
                last.events(cur, key, ids)
                made[key] = ids[-1]
                last.committed += ids
        db.commit()
        db.close()
        return made

    def kill(self):
        for writer in self.writers:
            writer.ended.set()


def hold(load, seconds):
    """The load goes on for so long."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        load.check()
        load.writers[0].ended.wait(0.02)
