"""The faults, each a function of the world and a random source, which begins
it and returns what ends it, and the plan that draws them.

TOUCHES says on what a fault works: two on different things may come together.
Who is hit is drawn when it begins, the leader more often than the standby.
"""

import collections
import random
import signal
import time

from chaos_load import hold
from chaos_world import freeze, settle

from harness.wait import until

SECONDS = (0.2, 2.0)  # how long a fault lasts
POINTS = ("relay.after_read", "relay.after_produce", "relay.before_progress")


def victim(world, rng):
    leader = world.leader_or_one(rng)
    return leader if rng.random() < 0.75 else world.other(leader)


# ---- relays

def relay_killed(world, rng):
    place = victim(world, rng)
    place.kill()
    place.wait_killed("by kill -9")
    return place.spawn


def relay_killed_at_a_failpoint(world, rng):
    """Where it stands between two effects; nothing to do there: anywhere."""
    place = world.leader_or_one(rng)
    place.arm(rng.choice(POINTS), "kill")

    def end():
        if not settle(lambda: not place.now.running(), 3):
            place.kill()
        place.wait_killed("at a failpoint")
        place.spawn()
    return end


def relay_stopped(world, rng):
    place = victim(world, rng)
    until(place.now.port_file.exists, 120, f"{place.client_id} has begun")
    place.doomed = True
    place.now.signal(signal.SIGTERM)

    def end():
        if not settle(lambda: not place.now.running(), 180):
            raise AssertionError(f"{place.client_id} does not end\n"
                                 f"{world.state()}")
        assert place.now.process.returncode == 0, place.now.logged()[-3000:]
        place.spawn()
    return end


def relay_frozen(world, rng):
    return freeze(victim(world, rng).pid)


def leader_frozen_and_replaced(world, rng):
    """Its sessions end, as PostgreSQL or a network ends those of the silent;
    it wakes beside another leader."""
    place = world.leader_or_one(rng)
    wake = freeze(place.pid)
    world.end_sessions(place)
    other = world.other(place)
    settle(lambda: world.leads(other), 10)
    return wake


# ---- the broker

def broker_killed(world, rng):
    world.cell.script("kafka.sh", "kill")
    return lambda: world.cell.script("kafka.sh", "start")


def broker_stopped(world, rng):
    world.cell.script("kafka.sh", "stop")
    return lambda: world.cell.script("kafka.sh", "start")


def broker_frozen(world, rng):
    return freeze(world.cell.pid("kafka"))


def broker_disk_full(world, rng):
    """It halts at its next write."""
    world.cell.fill("broker")
    settle(lambda: world.cell.script("kafka.sh", "alive", check=False)
           .returncode != 0, 10)

    def end():
        world.cell.make_room("broker")
        world.cell.script("kafka.sh", "kill")
        world.cell.script("kafka.sh", "start")
    return end


# ---- PostgreSQL

def postgres_stopped(world, rng):
    """Without a checkpoint: it recovers from its WAL."""
    world.cell.script("postgres.sh", "immediate")
    return lambda: world.cell.script("postgres.sh", "start")


def postgres_disk_full(world, rng):
    """No table can grow; the WAL can."""
    world.cell.fill("postgres")
    return lambda: world.cell.make_room("postgres")


WALSENDER = "SELECT active_pid FROM pg_replication_slots WHERE slot_name = %s"


def walsender_frozen(world, rng):
    pid = world.backend(WALSENDER + " AND active", (world.slot,))
    return freeze(pid) if pid else lambda: None


def backend_frozen(world, rng):
    """That of a relay's SQL."""
    pid = world.backend(
        "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND "
        "backend_type = 'client backend'", (victim(world, rng).client_id,))
    return freeze(pid) if pid else lambda: None


def sessions_ended(world, rng):
    world.end_sessions(victim(world, rng))
    return lambda: None


def drop_slot(world):
    def dropped():
        world.superuser("SELECT pg_terminate_backend(active_pid) FROM "
                        "pg_replication_slots WHERE active")
        gone = world.superuser("SELECT pg_drop_replication_slot(slot_name) "
                               "FROM pg_replication_slots WHERE slot_name "
                               "= %s", (world.slot,))
        return gone is not None
    until(dropped, 60, "the slot is dropped")


def slot_dropped(world, rng):
    """Under the relay that reads it."""
    drop_slot(world)
    return lambda: None


def slot_remade(world, rng):
    """By somebody's hand while no relay looks: the new one has nothing of what
    is committed meanwhile."""
    wakes = [freeze(place.pid) for place in world.awake()]
    drop_slot(world)

    def end():
        until(lambda: world.superuser(
            "SELECT pg_create_logical_replication_slot(%s, 'pgoutput')",
            (world.slot,)) is not None, 60, "the slot is made anew")
        for wake in wakes:
            wake()
    return end


def slot_invalidated(world, rng):
    """The server needed the WAL that the slot kept."""
    wake = freeze(world.leader_or_one(rng).pid)
    world.superuser("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
    world.superuser("SELECT pg_reload_conf()")

    def lost():
        for _ in range(2):
            world.superuser("SELECT pg_logical_emit_message(false, 'x', 'x')")
            world.superuser("SELECT pg_switch_wal()")
        world.superuser("CHECKPOINT")
        rows = world.superuser("SELECT wal_status FROM pg_replication_slots "
                               "WHERE slot_name = %s", (world.slot,))
        return rows in ([], [("lost",)])
    until(lost, 120, "the slot is lost", every=0.2)
    world.superuser("ALTER SYSTEM RESET max_slot_wal_keep_size")
    world.superuser("SELECT pg_reload_conf()")
    return wake


# ---- the operator

def letters_discarded(world, rng):
    world.discard()
    return lambda: None


def read_again(world):
    """At the end: what was refused would be taken now, and all is read."""
    world.discard()
    world.kafka.set_config(world.topics["skip"], "max.message.bytes=1000000")
    drop_slot(world)
    until(lambda: world.superuser(
        "SELECT 1 FROM pg_replication_slots JOIN relay_progress p ON slot = "
        "slot_name WHERE slot = %s AND active AND p.lsn IS NOT NULL",
        (world.slot,)), 180, "all is read again, and delivered")


# ---- the endpoint

def mood(name):
    def begin(world, rng):
        return world.hook.feel(getattr(world.hook, name))
    return begin


def hook_down(world, rng):
    return world.hook.go_away()


MOODS = {"hook_down": hook_down, **{
    f"hook_{name}": mood(name) for name in (
        "fails", "asks_for_patience", "hangs", "hangs_up", "cuts",
        "dawdles")}}


# ---- the links between

def link(world, rng, to):
    """That of a relay; its number in the list is the relay's."""
    return getattr(world, f"{to}_links")[
        world.relays.index(victim(world, rng))]


def reset(to):
    def begin(world, rng):
        at = link(world, rng, to)
        at.refuse()
        return at.flow
    return begin


def slow(to):
    def begin(world, rng):
        at = link(world, rng, to)
        at.slow = True
        return at.flow
    return begin


def half_open(to):
    """Both ends believe that they are connected."""
    def begin(world, rng):
        at = link(world, rng, to)
        at.swallow(*rng.choice((("up",), ("down",), ("up", "down"))))
        return at.flow
    return begin


def held(to):
    """Nothing comes through, and then all of it."""
    def begin(world, rng):
        at = link(world, rng, to)
        at.hold(rng.choice(("up", "down")))
        return at.flow
    return begin


LINKS = {f"{to}_link_{name}": make(to) for to in ("kafka", "postgres")
         for name, make in (("reset", reset), ("slow", slow),
                            ("half_open", half_open), ("held", held))}
TOUCHES = {
    "relay": (relay_killed, relay_killed_at_a_failpoint, relay_stopped,
              relay_frozen, leader_frozen_and_replaced),
    "broker": (broker_killed, broker_stopped, broker_frozen,
               broker_disk_full),
    "postgres": (postgres_stopped, postgres_disk_full, walsender_frozen,
                 backend_frozen, sessions_ended, slot_dropped,
                 slot_invalidated, slot_remade),
    "letters": (letters_discarded,),
}
DECK = {f.__name__: f for some in TOUCHES.values() for f in some} | LINKS
FAULTS = DECK | MOODS
ON = {f.__name__: on for on, some in TOUCHES.items() for f in some} | {
    name: name.partition("_")[0] for name in LINKS | MOODS}
RESTARTS = {"broker_killed", "broker_stopped", "broker_disk_full"}
# They need the relay to run, or PostgreSQL to answer.
ALONE = {"relay_stopped", "leader_frozen_and_replaced", "slot_dropped",
         "slot_invalidated", "slot_remade"}


class Plan:
    """A deck of all faults, shuffled, again and again. A fault in four has
    another one beside it; in every second round the endpoint has a mood, which
    costs no round of its own; after most of them, what was committed later
    must have come through before the next one."""

    def __init__(self, world, load, seed, rounds, only=(), lasts=()):
        self.world, self.load, self.rounds = world, load, rounds
        self.rng = random.Random(f"{seed}/plan")
        self.names = list(only) or sorted(DECK)
        self.lasts = tuple(lasts) or SECONDS
        self.deck, self.decks, self.rushed = [], 0, 0
        self.moods, self.feels = [], not only
        self.counts = collections.Counter()
        self.longest = 0.0

    def draw(self):
        if not self.deck:
            self.deck = self.names.copy()
            self.rng.shuffle(self.deck)
            if self.decks > 0:
                self.fewer_restarts()
            self.decks += 1
        return self.deck.pop()

    def fewer_restarts(self):
        """A broker is slow to start: one restart a deck, after the first."""
        here = [name for name in self.deck if name in RESTARTS]
        for name in here[1:]:
            self.deck.remove(name)

    def mood(self, number):
        """Each of them once before one comes again."""
        if not self.feels or number % 2:
            return []
        if not self.moods:
            self.moods = sorted(MOODS)
            self.rng.shuffle(self.moods)
        return [self.moods.pop()]

    def beside(self, name):
        """What may come together with it."""
        others = [n for n in self.names if ON[n] != ON[name]
                  and n not in ALONE | RESTARTS]
        if name in ALONE or not others or self.rng.random() > 0.25:
            return []
        return [self.rng.choice(others)]

    def run(self, tell):
        for number in range(1, self.rounds + 1):
            first = self.draw()
            names = [first, *self.beside(first), *self.mood(number)]
            seconds = self.rng.uniform(*self.lasts)
            took = self.round(names, seconds)
            waited = self.recovered()
            tell(f"{number}/{self.rounds} {' and '.join(names)}, "
                 f"{seconds:.1f} s, began and ended in {took:.1f} s, waited "
                 f"{waited}, {self.load.count()} events committed")

    def round(self, names, seconds):
        ends, begun = [], time.monotonic()
        for name in names:
            ends.append(FAULTS[name](self.world, self.rng))
        hold(self.load, seconds)
        for end in reversed(ends):
            end()
        self.counts.update(names)
        return time.monotonic() - begun - seconds

    def recovered(self):
        """Waits until something is delivered that was not when the fault
        ended; not always."""
        if self.rng.random() < 0.3 and self.rushed < 3:
            self.rushed += 1
            return "not"
        self.rushed, begun = 0, time.monotonic()
        before = self.world.delivered()

        def more():
            self.load.check()
            return any(n > before.get(pid, 0)
                       for pid, n in self.world.delivered().items())
        self.world.wait(more, 180, "something is delivered again")
        waited = time.monotonic() - begun
        self.longest = max(self.longest, waited)
        return f"{waited:.1f} s"
