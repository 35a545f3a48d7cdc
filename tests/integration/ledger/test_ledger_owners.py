"""Who writes a partition, while writers come and go, share what they should not
share, and stand still with the locks of others' rows. ROUNDS multiplies how
long they come and go."""

import os
import random
import signal
import time

import ledger_oracle
import ledger_rigged
import pytest
from harness.wait import until
from ledger_families import Families
from ledger_feeding import Feeding
from ledger_kit import transfer
from ledger_rigged import Rigged

SEED = int(os.environ.get("SEED") or random.randrange(1 << 32))
ROUNDS = int(os.environ.get("ROUNDS") or 1)
COMMANDS_ONLY = {"trades_topics": "", "fills_topics": ""}


def prepare(ledger):
    """Books for every family; how many records that took."""
    print(f"SEED={SEED}")
    load, total = Families(SEED), 0
    for step in load.setup():
        ledger.send(*step)
        total += len(step)
        ledger.wait_consumed(total)
    return load, total


def judge(ledger, path):
    assert ledger.rows("SELECT * FROM rejected WHERE error_class = 'poison'"
                       ) == []
    assert ledger.value("SELECT deadlocks FROM pg_stat_database WHERE "
                        "datname = current_database()") == 0
    print(ledger_oracle.assert_equal(ledger, path))
    ledger.check_books()


def test_locks_of_a_writer_stopped_in_copy_hold_up_no_other_partition(
        ledger, tmp_path):
    """Its session in the group is long, so nobody takes its partitions; but
    the hot account is everybody's."""
    ledger_rigged.build()
    places = [Rigged(ledger, tmp_path, f"w{i}", session_timeout="300s")
              for i in range(2)]
    for place in places:
        place.start()
    until(lambda: all(len(place.parts()) == 2 for place in places), 60,
          "two partitions each")
    load, total = prepare(ledger)
    victim, other = places
    victim.arm("in_copy.postings", "stop")
    # all in one batch, which is large enough for COPY
    ledger.at_once([victim.now], (victim.parts()[0],
                                  load.rows_of("postings")))
    until(victim.stopped, 60, "it stops")
    cmds = [transfer("house", "bank", "1.00") for _ in range(50)]
    ledger.send(*cmds, partition=other.parts()[0])
    for cmd in cmds:
        assert ledger.answer(cmd)["status"] == "applied"
    other.now.wait_metric(1, "ledger_backends_ended_total")
    assert len(victim.parts()) == 2
    victim.wake()
    ledger.wait_consumed(total + 200)
    judge(ledger, tmp_path)


def test_two_groups_on_one_topic_fence_each_other_and_apply_once(
        ledger, tmp_path):
    """Kafka gives each partition to both, for ever. Each takes what the other
    has; one is killed, and stopped, now and then."""
    rng = random.Random(SEED)
    groups = [f"{ledger.group}.{i}" for i in range(2)]
    writers = [ledger.writer(group=g, client_id=g, **COMMANDS_ONLY)
               for g in groups]
    load, total = prepare(ledger)
    feeding = Feeding(ledger, load, total, 60, 0.02)
    fenced = 0  # those that are killed

    def fences():
        return fenced + sum(w.metric("ledger_fenced_total") for w in writers)
    for turn in range(4):
        begun, before = ledger.consumed(), fences()
        until(lambda: ledger.consumed() > begun + 500, 60, "progress")
        until(lambda: fences() > before, 60, "one takes what the other has")
        at = rng.randrange(2)
        if turn % 2:
            writers[at].signal(signal.SIGSTOP)
            begun = ledger.consumed()
            until(lambda: ledger.consumed() > begun + 500, 60, "the other's")
            writers[at].signal(signal.SIGCONT)
        else:
            fenced += writers[at].metric("ledger_fenced_total")
            writers[at].kill()
            writers[at] = ledger.writer(group=groups[at], client_id=groups[at],
                                        wait_ready=False, **COMMANDS_ONLY)
    total = feeding.finish()
    ledger.wait_consumed(total, 90)
    print(f"fenced {fences()} times")
    judge(ledger, tmp_path)


class Churn:
    """Places where writers come and go: two with a name in the group that is
    used again at once, two without."""

    def __init__(self, ledger, rng):
        self.ledger, self.rng = ledger, rng
        self.now = dict.fromkeys(("static0", "static1", "dynamic0",
                                  "dynamic1"))
        self.done = []  # processes that ended, or will
        self.counts = {}

    def start(self, place):
        name = {"instance": place} if place.startswith("static") else {}
        self.now[place] = self.ledger.writer(
            client_id=f"{place}.{len(self.done)}", session_timeout="2s",
            wait_ready=False, **COMMANDS_ONLY, **name)

    def leave(self, place):
        """Ended in order, and not waited for."""
        self.now[place].process.terminate()
        self.done.append(self.now[place])
        self.now[place] = None

    def crash(self, place):
        self.now[place].process.kill()
        self.done.append(self.now[place])
        self.now[place] = None

    def again(self, place):
        """Ended or dead, and there again in the same moment."""
        self.rng.choice((self.leave, self.crash))(place)
        self.start(place)

    def freeze(self, place):
        """For longer than its session."""
        self.now[place].signal(signal.SIGSTOP)
        begun = time.monotonic()
        until(lambda: time.monotonic() - begun > 2.5, 5, "a session")
        self.now[place].signal(signal.SIGCONT)

    def act(self):
        place = self.rng.choice(list(self.now))
        if self.now[place] is None:
            acts = [self.start]
        elif not self.now[place].running():
            # two processes had its name for a moment, and it gave way
            assert self.now[place].process.returncode == 1
            acts = [self.start]
        elif sum(w is not None for w in self.now.values()) == 1:
            acts = [self.again]
        else:
            acts = [self.leave, self.crash] + [self.again] * 3 + [self.freeze]
        act = self.rng.choice(acts)
        act(place)
        self.counts[act.__name__] = self.counts.get(act.__name__, 0) + 1


def test_writers_that_come_and_go_lose_and_double_nothing(ledger, tmp_path):
    """Static and dynamic members in one group, some rebalance always on."""
    rng = random.Random(SEED)
    churn = Churn(ledger, rng)
    for place in churn.now:
        churn.start(place)
    load, total = prepare(ledger)
    feeding = Feeding(ledger, load, total, 40, 0.05)
    begun = time.monotonic()

    def moved():  # claims, beside the first of each partition
        return ledger.value("SELECT sum(epoch)::int8 - 4 FROM "
                            "consumer_partitions WHERE topic = %s",
                            ledger.topic)
    while time.monotonic() - begun < 20 * ROUNDS or moved() < 5:
        assert time.monotonic() - begun < 120 * ROUNDS, "nothing moves"
        at = time.monotonic() + rng.uniform(0.05, 0.8)
        until(lambda: time.monotonic() > at, 5, "the next one")
        churn.act()
    total = feeding.finish()
    for place, writer in churn.now.items():
        if writer is None or not writer.running():
            churn.start(place)
    ledger.wait_consumed(total, 120)
    epochs = ledger.rows("SELECT part, epoch FROM consumer_partitions "
                         "WHERE topic = %s ORDER BY 1", ledger.topic)
    print(churn.counts, epochs)
    for ended in churn.done:
        # one that has a second self of its name ends with 1, and says so;
        # one that is told to leave before it has begun, by the signal
        assert ended.process.wait(60) in (0, 1, -signal.SIGKILL,
                                          -signal.SIGTERM)
    judge(ledger, tmp_path)
