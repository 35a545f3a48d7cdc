"""What is done to the fleet: a list of steps, drawn from a seed.

A step returns when its effect has been seen, and leaves the fleet complete.
Failpoints say exactly where a process died or stopped; between them processes
are killed wherever they happen to be.
"""

import threading
import time

from harness.wait import until

IN_BATCH = ["ledger.after_pause_lock", "ledger.after_fence",
            "ledger.after_locks", "ledger.after_decide", "ledger.in_copy",
            "ledger.before_commit"]
BETWEEN = ["ledger.after_commit", "ledger.after_poll",
           "ledger.before_offset_commit"]
COMMIT_SENT = "ledger.after_commit_sent"
RELAY = ["relay.after_read", "relay.after_produce", "relay.before_progress"]
RANDOM = "random"


class Plan:
    def __init__(self, cell, fleet, load, rng, rounds):
        self.cell, self.fleet, self.load = cell, fleet, load
        self.rng, self.rounds = rng, rounds
        self.limited = False  # a rate rule is in force
        self.counts = dict.fromkeys((
            "writer_kills_at_random", "relay_kills_at_random",
            "stops_in_transaction", "stops_in_copy", "stops_between_batches",
            "kafka_restarts", "postgres_immediate_restarts", "pauses",
            "pauses_past_a_stopped_writer", "rate_rules",
            "relays_stopped_and_replaced",
            "relay_kills_behind_a_dead_letter"), 0)

    def steps(self):
        steps = []
        for turn in range(self.rounds):
            kills = IN_BATCH * 2 + [COMMIT_SENT] * 3 + BETWEEN + [RANDOM] * 3
            relay = RELAY + ["relay.after_produce"] + [RANDOM] * 2
            self.rng.shuffle(kills)
            self.rng.shuffle(relay)
            mine = []
            while kills:
                points = [kills.pop() for _ in
                          range(min(len(kills), self.rng.choice((1, 2, 2))))]
                mine.append((self.kill, points,
                             relay.pop() if relay else None))
            mine += [(self.stop, "ledger.after_decide",
                      "stops_in_transaction"),
                     (self.stop, "ledger.in_copy", "stops_in_copy"),
                     (self.stop, "ledger.after_poll",
                      "stops_between_batches"),
                     (self.restart_kafka, "stop" if turn % 2 else "kill"),
                     (self.restart_postgres,), (self.pause,), (self.rate,),
                     (self.rate,),
                     (self.pause_past_a_stopped_writer,),
                     (self.stop_relay,), (self.kill_parking_relay,)]
            self.rng.shuffle(mine)
            steps += mine
        return steps

    def run(self, tell):
        steps = self.steps()
        for number, (step, *args) in enumerate(steps, 1):
            self.fleet.both_write()
            tell(f"{number}/{len(steps)} {step.__name__} "
                 f"{' '.join(map(str, args))}, {self.fleet.consumed()} "
                 "records committed")
            step(*args)
            self.fleet.check_alive()

    # ---- kill -9

    def kill(self, points, relay):
        victims = list(zip(self.rng.sample(self.fleet.writers, len(points)),
                           points))
        if relay is not None:
            victims.append((self.fleet.leader(), relay))
        threads = [threading.Thread(target=self.kill_at_random, args=(
            place, self.rng.randint(1, 400)))
            for place, point in victims if point == RANDOM]
        for place, point in victims:
            if point != RANDOM:
                place.arm(point, "kill")
        for thread in threads:
            thread.start()
        self.load.burst()
        for thread in threads:
            thread.join()
        for place, point in victims:
            self.burst_until(place.dead, f"{place.client_id} dies at {point}")
            place.check_killed()
            place.spawn()

    def burst_until(self, there, what):
        """A burst may come in pieces that are too small for COPY: then another
        one does."""
        begun = time.monotonic()
        bursts = 1

        def look():
            nonlocal bursts
            if there():
                return True
            if time.monotonic() - begun > 5 * bursts:
                bursts += 1
                self.load.burst()
            return False
        self.fleet.wait(look, 90, what)

    def kill_at_random(self, place, records):
        """After so many records more, wherever it then is."""
        begun = self.load.acknowledged()
        until(lambda: self.load.acknowledged() >= begun + records, 60,
              "more records are sent", every=0.01)
        place.kill()
        self.counts[f"{place.program.rpartition('-')[2]}_kills_at_random"] += 1

    # ---- SIGSTOP until another has taken its partitions

    def stop(self, point, kind):
        victim = self.rng.choice(self.fleet.writers)
        had = self.fleet.owned_by(victim)
        victim.arm(point, "stop")
        self.load.burst()
        self.wait_stopped(victim, point)
        self.fleet.wait(lambda: not self.fleet.owned_by(victim), 90,
                        f"others take {had} from {victim.client_id}")
        # what it held up goes on without it
        self.fleet.progress(300)
        victim.wake()
        victim.now.wait_ready(60)
        self.counts[kind] += 1

    def wait_stopped(self, victim, point):
        def there():
            return (any(f[0] == point and f[1] == "stop"
                        for f in victim.fired()) and victim.stopped())
        self.burst_until(there, f"{victim.client_id} stops at {point}")

    # ---- the relay

    def stop_relay(self):
        """Until the standby leads; woken, it may only repeat rows."""
        victim = self.fleet.leader()
        victim.arm("relay.after_produce", "stop")
        self.load.burst()
        self.wait_stopped(victim, "relay.after_produce")
        assert self.fleet.end_sessions(victim) >= 2, "SQL and the WAL"
        assert self.fleet.leader() is not victim
        self.fleet.progress(300)
        victim.wake()
        self.fleet.wait(lambda: victim.now.metric("relay_leader") == 0, 60,
                        f"{victim.client_id} knows that it leads no more")
        victim.now.wait_ready(60)
        self.counts["relays_stopped_and_replaced"] += 1

    def kill_parking_relay(self):
        """Events for a topic that does not exist, and the relay dead between
        writing them down as dead letters and knowing that it has."""
        victim = self.fleet.leader()
        victim.arm("relay.after_park", "kill")
        db = self.cell.connect("owner", self.fleet.database)
        with db.cursor() as cur:
            cur.execute(
                "INSERT INTO outbox (seq, id, aggregatetype, aggregateid, "
                "type, payload, created_at) SELECT "
                "nextval('batch_seq') * 1048576, gen_random_uuid(), "
                "'nowhere', gen_random_uuid()::text, 't', '{}', now() "
                "FROM generate_series(1, 20)")
        db.close()
        victim.wait_killed("at relay.after_park")
        victim.spawn()
        self.counts["relay_kills_behind_a_dead_letter"] += 1

    # ---- what they stand on

    def restart_kafka(self, how):
        self.cell.script("kafka.sh", how)
        self.cell.script("kafka.sh", "start")
        self.fleet.progress(300, 240)
        self.counts["kafka_restarts"] += 1

    def restart_postgres(self):
        """Under two writers that do not know whether their COMMIT was done:
        of one it was, of the other it was not."""
        done, undone = self.rng.sample(self.fleet.writers, 2)
        done.arm(COMMIT_SENT, "stop")
        self.wait_stopped(done, COMMIT_SENT)
        undone.arm("ledger.before_commit", "stop")
        self.wait_stopped(undone, "ledger.before_commit")
        self.cell.script("postgres.sh", "immediate")
        done.wake()
        undone.wake()
        self.cell.script("postgres.sh", "start")
        self.fleet.progress(300, 240)
        self.counts["postgres_immediate_restarts"] += 1

    # ---- pauses, which replay must see too

    def operator(self, text, args):
        db = self.cell.connect("operator", self.fleet.database)
        with db.cursor() as cur:
            cur.execute(text, args)
        db.close()

    def paused(self, scope):
        """Of an organisation that may not have sent its first command yet."""
        self.operator("SELECT pause(%s, NULL, 'kill test', 'operator', "
                      "unknown_org => true)", (scope,))

    def resumed(self, scope):
        self.operator("SELECT resume(%s, 'kill test', 'operator', "
                      "override => 'a test')", (scope,))

    def pause(self):
        scope = self.rng.choice(("trading", "market"))
        self.paused(scope)
        self.fleet.progress(300)
        self.resumed(scope)
        self.counts["pauses"] += 1

    def rate(self):
        """Of an actor, or of everybody: it counts while writers are killed by
        the steps around it, until the next such step drops it."""
        if self.limited:
            self.operator("SELECT drop_rate_rule('each', 'operator', "
                          "'kill test')", ())
        else:
            self.operator(
                "SELECT set_rate_rule('each', NULL, %s, ARRAY["
                "'transfer.post', 'group', 'trade.record', 'stock.reserve'], "
                "%s, '2 s', 1, 'operator', 'kill test')",
                self.rng.choice((("actor", 300), ("org", 200))))
        self.limited = not self.limited
        self.fleet.progress(300)
        self.counts["rate_rules"] += 1

    def pause_past_a_stopped_writer(self):
        """The one that is stopped holds the pause lock: pause() ends its
        backend, or its own time limit does."""
        victim = self.rng.choice(self.fleet.writers)
        victim.arm("ledger.after_pause_lock", "stop")
        self.wait_stopped(victim, "ledger.after_pause_lock")
        self.paused("shop")
        victim.wake()
        self.fleet.progress(200)
        self.resumed("shop")
        self.counts["pauses_past_a_stopped_writer"] += 1


def evidence(fleet, plan):
    """How often each kind of fault really happened: from the failpoints' log
    and the writers' own logs. None may be zero."""
    fired = fleet.fired()

    def at(points, action):
        return sum(f[0] in points and f[1] == action for f in fired)

    def told(event, word=""):
        return sum(word in line for w in fleet.writers
                   for line in w.events(event))
    return {
        "kills_with_a_batch_open": at(IN_BATCH, "kill"),
        "kills_between_commit_and_answer": at([COMMIT_SENT], "kill"),
        "kills_between_batches": at(BETWEEN, "kill"),
        "relay_kills_at_failpoints": at(RELAY, "kill"),
        "fenced_updates_of_zero_rows": told("partition.fenced"),
        "backends_ended_by_another_writer": told("claim.backend_ended")
        + told("batch.backend_ended"),
        "commits_in_doubt": told("commit.in_doubt"),
        **plan.counts}


LEAST = {"kills_with_a_batch_open": 10, "kills_between_commit_and_answer": 3}


def too_few(counts):
    return [f"{kind}: {n}, at least {LEAST.get(kind, 1)} wanted"
            for kind, n in counts.items() if n < LEAST.get(kind, 1)]
