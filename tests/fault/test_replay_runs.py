"""Plans of dead letters disturbed at random: killed, stopped, frozen and taken
over, without their server or their broker, two of them at once, beside people
who discard and edit, and beside new events of their keys.

    make fault T=replay_runs [SEED=n] [ROUNDS=n] [FAULTS="name ..."]

ROUNDS: how many faults, at least one of each kind. The last line that it prints
is JSON.
"""

import collections
import json
import os
import random

import pytest
import replay_judge
import replay_world

from harness.wait import until

SEED = int(os.environ.get("SEED") or random.randrange(1 << 32))
ONLY = os.environ.get("FAULTS", "").split()
DECK = [f for f in replay_world.DECK if f.__name__ in ONLY
        ] or replay_world.DECK
ROUNDS = max(int(os.environ.get("ROUNDS") or 0), len(DECK))
LETTERS = 150  # of a wave


@pytest.fixture
def world(tmp_path):
    made = replay_world.World(tmp_path, SEED)
    try:
        yield made.start()
    finally:
        made.stop()


def deck(rng):
    """Faults without an end, each of them before any comes again."""
    while True:
        yield from rng.sample(DECK, len(DECK))


def all_events_came(world):
    topic = world.rows.prefix + world.tag
    due = {i for _, i in world.events}
    gone = {i for i, in world.sql("SELECT row_id FROM letters "
                                  "WHERE state = 'discarded'")}

    def there():
        return due - gone <= {r.original or r.id
                              for r in replay_judge.read(world, topic)}
    until(there, 120, "every event of the wave", every=0.5)


def test_no_letter_is_lost_or_out_of_order(world, capsys):
    def tell(text):
        with capsys.disabled():
            print(text, flush=True)
    tell(f"SEED={SEED} ROUNDS={ROUNDS}, files in {world.dir}")
    faults, counts = deck(world.rng), collections.Counter()
    wrong, records = [], 0
    while sum(counts.values()) < ROUNDS and not wrong:
        world.wave(LETTERS)
        while sum(counts.values()) < ROUNDS and world.left():
            fault, plan = next(faults), world.rng.choice(world.left())
            fault(world, plan)
            counts[fault.__name__] += 1
            tell(f"{fault.__name__} of plan {plan}, at {world.at(plan)}")
        world.finish_all()
        all_events_came(world)
        found, many = replay_judge.verdict(world)
        wrong, records = wrong + found, records + many
    tell(json.dumps({"seed": SEED, "faults": sum(counts.values()),
                     "of": counts, "records": records,
                     "in_doubt": len(world.doubts),
                     "differences": len(wrong), "first": wrong[:1]}))
    assert not wrong, "\n".join([f"SEED={SEED}", *wrong[:10]])
