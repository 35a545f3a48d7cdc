"""Killed and stopped at every named step between poll and offset commit, with
commands of every family in flight."""

import os
import random

import ledger_oracle
import ledger_rigged
import pytest
from harness.wait import until
from ledger_families import TABLES, Families
from ledger_rigged import Rigged, proxied, side_by_side

SEED = int(os.environ.get("SEED") or random.randrange(1 << 32))
ROUNDS = int(os.environ.get("ROUNDS") or 1)
STEPS = ["after_claim", "after_poll", "after_names", "after_pause_lock",
         "after_fence", "after_locks", "after_rates", "after_decide",
         "in_copy", *(f"in_copy.{table}" for table in TABLES),
         "before_updates", "before_commit", "after_commit_sent",
         "after_commit", "before_offset_commit"]
# what one clerk may do: some of it is refused for now
RULES = [("reserve", ["stock.reserve"], 40, "2 seconds")]


@pytest.fixture(scope="module", autouse=True)
def failpoints():
    ledger_rigged.build()


def shares(count):
    """The steps, shuffled and dealt out; what each is followed by differs
    from seed to seed."""
    print(f"SEED={SEED} ROUNDS={ROUNDS}")
    steps = [step for _ in range(ROUNDS) for step in
             random.Random(SEED).sample(STEPS, len(STEPS))]
    return [steps[i::count] for i in range(count)]


def table_of(step):
    """The table that a batch must write so that the step is passed."""
    return {"after_rates": "rate_windows"}.get(
        step, step.partition("in_copy.")[2] or "postings")


def feed(lane, load, step, place):
    """Its rows through one partition of the place's, so that they meet in one
    batch of it."""
    lane.send(*load.rows_of(table_of(step)), partition=load.rng.choice(
        place.parts() or range(lane.partitions)))
    lane.send(*load.records(150))
    if step == "after_claim":  # what another owner's claim does
        lane.db.cursor().execute(
            "UPDATE consumer_partitions SET epoch = epoch + 1 "
            "WHERE topic = %s", (lane.topic,))


def reach(lane, load, step, place, there):
    """Feeds until the step has acted; batches form by themselves, so it may
    take some."""
    for _ in range(30):
        feed(lane, load, step, place)
        try:
            until(there, 3, f"{step} acts")
            return
        except AssertionError:
            pass
    raise AssertionError(f"{step} does not act; {lane.owners()} of "
                         f"{lane.total}, {place.now.logged()[-3000:]}")


def judge(lane):
    lane.drained(90)
    summary = ledger_oracle.assert_equal(lane, lane.path)
    lane.check_books()
    assert lane.value("SELECT count(*) FROM rejected WHERE "
                      "error_class = 'poison'") == 0
    return summary


def killed(steps, seed):
    """Each life is killed at the next step, while it still does what the one
    before has left."""
    def work(lane):
        load = Families(seed)
        victim = Rigged(lane, lane.path, "one", instance="one")
        victim.start()
        lane.set_up(load, RULES)
        for step in steps:
            victim.arm(step, "kill")
            if victim.ended():
                victim.start()
            reach(lane, load, step, victim, victim.ended)
        victim.disarm()
        assert [victim.count(step) for step in steps] == [
            steps.count(step) for step in steps]
        victim.start()
        return judge(lane)
    return work


def test_killed_at_every_step_nothing_is_lost_or_doubled(
        cell, kafka, tmp_path):
    works = [killed(steps, SEED + i) for i, steps in enumerate(shares(2))]
    print(side_by_side(cell, kafka, tmp_path, works))


def cut_off(steps, seed, by_proxy):
    """PostgreSQL ends the session, or the line is cut, rows under way in it."""
    def work(lane):
        load = Families(seed)
        proxy, flags = proxied(lane, lane.path)
        victim = Rigged(lane, lane.path, "victim", **flags)
        victim.start()
        lane.set_up(load, RULES)
        connections = 1
        for step in steps:
            victim.arm(step, "sleep:1000")
            reach(lane, load, step, victim, lambda s=step: victim.count(s))
            victim.disarm()
            if by_proxy:
                proxy.hold("up")
                proxy.cut()
            else:
                assert lane.end_sessions("victim") == 1
            connections += 1
            until(lambda: victim.now.logged().count("event=postgres.up")
                  >= connections, 60, f"it connects again, {step}")
        proxy.close()
        return judge(lane)
    return work


def test_the_connection_is_lost_at_every_step(cell, kafka, tmp_path):
    works = [cut_off(steps, SEED + i, i % 2 == 1)
             for i, steps in enumerate(shares(4))]
    print(side_by_side(cell, kafka, tmp_path, works))


def stopped(steps, seed, second_group):
    """The victim stands still until all records are applied without it; then it
    wakes up in the middle of what it did. In one group Kafka gives its
    partitions away; in two both have them all the time and take them from each
    other."""
    def work(lane):
        load = Families(seed)
        victim = Rigged(lane, lane.path, "victim", session_timeout="2s")
        other = Rigged(lane, lane.path, "other", session_timeout="2s",
                       group=lane.group + second_group)
        victim.start()
        lane.set_up(load, RULES)
        other.start(wait_ready=True)
        for step in steps:
            victim.arm(step, "stop")
            reach(lane, load, step, victim,
                  lambda s=step: victim.count(s) and victim.stopped())
            lane.drained()
            if not second_group:
                until(lambda: not victim.parts(), 60, "it is replaced")
            victim.wake()
            victim.now.wait_ready()
        assert [victim.count(step) for step in steps] == [
            steps.count(step) for step in steps]
        return judge(lane), {
            f"{place.name} {name}": place.now.metric(f"ledger_{name}_total")
            for place in (victim, other)
            for name in ("fenced", "backends_ended", "commits_in_doubt")}
    return work


def test_stopped_at_every_step_taken_over_and_woken(cell, kafka, tmp_path):
    works = [stopped(steps, SEED + i, ".second" if i % 2 else "")
             for i, steps in enumerate(shares(6))]
    done = side_by_side(cell, kafka, tmp_path, works)
    print(done)
    assert sum(counts["victim fenced"] for _, counts in done) > 0
    assert sum(counts["other backends_ended"] for _, counts in done) > 0
