"""A relay that polls an application's table, killed between Kafka's
acknowledgement and the DELETE: repeated rows have the same id, none is lost,
and the table ends empty. Needs the failpoints build (make fault)."""

import random

import pytest

from harness.alone import Alone
from harness.shop import Shop
from harness.wait import until


@pytest.fixture
def shop(cell, kafka):
    made = Shop(Alone(cell), kafka)
    made.poll()
    yield made
    made.db.close()
    cell.drop_database(made.database)


POINTS = ["relay.after_produce", "relay.before_delete", "relay.after_delete",
          "relay.after_park"]


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("point", POINTS)
def test_polling_killed_at(point, shards, shop, daemons, tmp_path):
    rules, log = tmp_path / "rules", tmp_path / "log"
    rng = random.Random(point + str(shards))
    env = {"CH_FAILPOINTS_FILE": str(rules), "CH_FAILPOINTS_LOG": str(log)}

    def start(**more):
        return daemons("outbox-relay", env=env, **shop.flags(
            source="poll", shards=shards, topic_wait="0s", **more))

    def dies_of_work(daemon):
        if daemon.running():
            shop.order(f"k{rng.randrange(7)}")
        return not daemon.running()

    for kill in range(3):
        for n in range(100):
            shop.order(f"k{rng.randrange(7)}")
        if point == "relay.after_park":
            shop.order("poison", kind=f"Missing{kill}")
        rules.write_text(f"{point}=kill@{rng.randrange(1, 4)}\n"
                         if point != "relay.after_park"
                         else f"{point}=kill@1\n")
        daemon = start(wait_ready=False)
        until(lambda: dies_of_work(daemon), 120, f"killed at {point}")
        assert log.read_text().count(point) == kill + 1
    rules.write_text("")
    start()
    repeated = shop.arrived(120)
    assert repeated > 0 or point != "relay.before_delete"
    assert set(shop.ids(shop.topic)) == {i for _, _, i in shop.sent}
    until(lambda: shop.left() == 0, 60, "the table is empty")
    if point == "relay.after_park":
        until(lambda: len(shop.letters()) == 3, 60, "each parked once")
