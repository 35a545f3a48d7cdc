"""The relay under random faults: writers that commit late, take back and fight
for the same aggregates; an active relay and a standby; a broker, a server,
links and a slot that fail; topics that refuse some events for ever; an HTTP
endpoint with moods of its own.

    make fault T=chaos [SEED=n] [ROUNDS=n] [FAULTS="name ..."]
                       [LASTS="min max"]

ROUNDS: how many faults, at least one of each kind unless FAULTS names some; in
every second one the endpoint has a mood besides.
LASTS: how many seconds each. SEED draws faults and load, not the scheduler's
moments. The last line that it prints
is JSON: what happened, what was found.
"""

import json
import os
import random
import time

import chaos_judge
import pytest
from chaos_faults import DECK, Plan, read_again
from chaos_hook import KINDS as HOOKED
from chaos_load import Load
from chaos_world import World

SEED = int(os.environ.get("SEED") or random.randrange(1 << 32))
ONLY = os.environ.get("FAULTS", "").split()
LASTS = tuple(map(float, os.environ.get("LASTS", "").split()))
ROUNDS = max(int(os.environ.get("ROUNDS") or 0), len(ONLY) or len(DECK))


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path, random.Random(SEED), SEED)
    try:
        yield made.start()
    finally:
        made.destroy()


@pytest.fixture
def load(world):
    made = Load(world, SEED).start()
    yield made
    made.kill()


def accounted(world, load, last):
    """All that was committed is in a topic or put aside, and taken by the
    endpoint that wants it; looked at only when the last event of each
    aggregate has come."""
    hooked = {id_ for key, id_ in last.items()
              if key.partition("-")[0] in HOOKED}

    def tails():
        seen = {id_ for kind in world.topics for id_ in world.tail(kind)}
        return set(last.values()) <= seen and hooked <= world.hook.taken_ids()
    world.wait(tails, 240, "the last event of each aggregate", every=1)
    world.wait(lambda: not chaos_judge.missing(
        chaos_judge.Evidence.of(world, load)), 120, "every event", every=2)
    # and written down: a relay that ends sends nothing again
    world.wait(lambda: world.sql(
        "SELECT 1 FROM webhook_deliveries WHERE done_at IS NULL LIMIT 1") == [],
        120, "every delivery is done")


def test_nothing_is_lost_or_out_of_order(world, load, tmp_path, capsys):
    begun = time.monotonic()

    def tell(text):
        with capsys.disabled():
            print(f"[{time.monotonic() - begun:7.1f}] {text}", flush=True)
    tell(f"SEED={SEED} ROUNDS={ROUNDS}, files in {tmp_path}")
    plan = Plan(world, load, SEED, ROUNDS, ONLY, LASTS)
    plan.run(tell)
    last = load.finish()
    tell("the load has ended")
    try:
        accounted(world, load, last)
        read_again(world)
        tell("read again")
    except AssertionError as late:
        tell(f"not at rest: {late}")
    wrong = world.stop()
    tell("at rest")
    seen = chaos_judge.Evidence.of(world, load)
    found, repeated = chaos_judge.verdict(seen)
    wrong += found
    wrong += chaos_judge.blind(seen)
    (tmp_path / "differences").write_text("\n".join(wrong))
    with capsys.disabled():
        print(json.dumps({
            "seed": SEED, "rounds": ROUNDS,
            "faults": sum(plan.counts.values()), "of": dict(plan.counts),
            "committed": load.count(), "taken_back": len(seen.undone),
            "killed_at_failpoints": len(world.fired()),
            "in_doubt": len(load.events("doubtful")),
            "disk_full": sum(w.full for w in load.writers),
            "records": sum(map(len, seen.topics.values())),
            "repeated": repeated, "dead_letters": len(seen.letters),
            "discarded": len(seen.discarded),
            "waiting": len(seen.waiting),
            # what the relays did about it, all their lives together
            "relays": {event: sum(len(p.events(event)) for p in world.relays)
                       for event in ("relay.slot_made", "relay.stream_lost",
                                     "relay.resend", "relay.parked")},
            "hook": {**world.hook.answers, "paused": sum(
                len(p.events("webhook.paused")) for p in world.relays)},
            "longest_wait": round(plan.longest, 1),
            "differences": len(wrong), "first": wrong[:1]}), flush=True)
    assert not wrong, (f"SEED={SEED}: {len(wrong)} differences, the first:\n"
                       + "\n".join(wrong[:5]))
