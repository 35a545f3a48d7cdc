"""Kafka refuses: attempts counted exactly, the key's policy kept, the rest
flows, and an outage or a quota costs nothing."""

import json
import os
import random
import signal
import threading

import pytest

from harness.cell import Broker
from harness.kafka import Kafka, header
from harness.relay_rows import Cell
from harness.wait import until

SEED = int(os.environ.get("SEED") or random.randrange(1 << 30))


def noise(size, seed=1):
    """JSON that does not compress below a topic's limit."""
    rng = random.Random(seed)
    return json.dumps("".join(chr(rng.randrange(48, 122))
                              for _ in range(size)))


def first_seen(cell, topic):
    """Ids by key, in the order of their first record."""
    seen = {}
    for r in cell.records(topic):
        ids = seen.setdefault(r["key"], [])
        if header(r, "id") not in ids:
            ids.append(header(r, "id"))
    return seen


def small_topic(cell):
    topic = cell.prefix + "small"
    cell.kafka.create(topic, config=["max.message.bytes=20000"])
    return topic


def spent(daemon):
    return daemon.metric("relay_refusals_total")


def test_skip_after_n_attempts_parks_and_the_key_goes_on(relay_cell, relay):
    cell = relay_cell
    topic = small_topic(cell)
    daemon = relay(routes=f"small={topic}:skip-after-4")
    before = cell.event("a", "small")
    big = cell.event("a", "small", payload=noise(60000))
    later = [cell.event("a", "small") for _ in range(5)]
    until(lambda: daemon.metric("relay_held_keys") == 1, 20, "on trial")
    # another key of the topic and another topic do not wait for the trial
    other, stock = cell.event("b", "small"), cell.event("s")
    until(lambda: other in cell.ids(topic) and stock in cell.ids(cell.stock),
          20, "others flow")
    letters = until(cell.letters, 30, "parked")
    assert [(x["row_id"], x["error_class"], x["attempts"], x["blocks_key"])
            for x in letters] == [(big, "MSG_SIZE_TOO_LARGE", 4, False)]
    assert spent(daemon) == 4
    until(lambda: first_seen(cell, topic).get("a") == [before, *later], 20,
          "the key goes on, in order")
    until(lambda: daemon.metric("relay_held_keys") == 0, 10, "free")
    assert cell.sql("SELECT count(*) FROM outbox_retry") == [(0,)]


def test_a_stop_does_not_wait_for_the_attempts_of_a_key(relay_cell, relay):
    cell = relay_cell
    topic = small_topic(cell)
    daemon = relay(routes=f"small={topic}:skip-after-100",
                   drain_deadline="90s")
    big = cell.event("a", "small", payload=noise(60000))
    later = cell.event("a", "small")
    until(lambda: daemon.metric("relay_held_keys") == 1, 20, "on trial")
    assert daemon.stop(30) == 0
    # nothing was acknowledged of it: the next relay begins with both
    relay(routes=f"small={topic}:skip-after-1")
    until(lambda: first_seen(cell, topic) == {"a": [later]}, 20,
          "the key goes on")
    until(cell.letters, 20, "parked")
    assert [(x["row_id"], x["attempts"]) for x in cell.letters()] == [(big, 1)]


def test_a_blocked_key_says_why_and_an_operator_skips_it(relay_cell, api):
    cell = relay_cell
    topic = small_topic(cell)
    served = api()
    daemon = served.daemon
    big = cell.event("a", "small", payload=noise(60000))
    later = [cell.event("a", "small") for _ in range(3)]
    until(lambda: cell.sql("SELECT count(*) FROM outbox_retry") == [(3,)],
          30, "its key waits")
    assert spent(daemon) == 1  # alone, once: Kafka says it of this record
    (key,) = [json.loads(x) for x in cell.dlq("keys", "--json").splitlines()]
    assert (key["topic"], key["key"], key["waiting"], key["error_class"],
            key["attempts"]) == (topic, "a", 3, "MSG_SIZE_TOO_LARGE", 1)
    assert "too large" in key["reason"] and key["age_seconds"] >= 0
    assert "MSG_SIZE_TOO_LARGE: " in cell.dlq("keys")
    (seen,) = served.get("keys")["keys"]
    assert {**seen, "age_seconds": 0} == {**key, "age_seconds": 0}

    skip = ["discard", "--topic", topic, "--key", "a"]
    assert "would discard" in cell.dlq(*skip, "--dry-run")
    cell.dlq(*skip, status=64)  # no reason given
    assert [x["row_id"] for x in cell.letters()] == [big]
    cell.dlq(*skip, "--reason", "the customer left", "--actor", "ann")
    until(lambda: first_seen(cell, topic).get("a") == later, 20, "released")
    assert cell.sql(
        "SELECT actor, reason FROM audit_events WHERE action = 'dlq.discard'"
        ) == [("ann", "the customer left")]
    until(lambda: cell.dlq("keys") == "", 20, "swept")


def test_order_holds_among_refusals_of_many_keys(relay_cell, relay):
    """Four writers, thousands in flight, and in each key some are refused."""
    print(f"SEED={SEED}")
    cell = relay_cell
    topic = small_topic(cell)
    # max.message.bytes is of a batch: a full one of small events is refused
    # as well, and costs each of them a trial
    daemon = relay(routes=f"small={topic}:skip-after-2",
                   **{"kafka.batch.size": "15000"})
    lock, bad, good = threading.Lock(), [], {}

    def write(writer):
        rng = random.Random(SEED + writer)
        for n in range(250):
            key = f"{writer}-{rng.randrange(3)}"
            large = rng.random() < 0.02 or n == 100
            with lock:
                row = cell.event(key, "small", payload=noise(
                    40000, rng.random()) if large else None)
            (bad.append(row) if large else
             good.setdefault(key, []).append(row))
    writers = [threading.Thread(target=write, args=(w,)) for w in range(4)]
    for w in writers:
        w.start()
    for w in writers:
        w.join()
    until(lambda: first_seen(cell, topic) == good, 120, "all, in order",
          every=0.5)
    letters = cell.letters("--limit", "1000")
    assert {x["row_id"] for x in letters} == set(bad)
    assert {x["attempts"] for x in letters} == {2}
    assert spent(daemon) == 2 * len(bad)


def test_a_stopped_broker_costs_no_attempt(relay_cell, relay, cell):
    daemon = relay(outbox_policy="skip-after-1",
                   results_policy="skip-after-1")
    relay_cell.load(100)
    relay_cell.arrived()
    cell.script("kafka.sh", "stop")
    try:
        relay_cell.load(500)
        until(lambda: daemon.metric("relay_breaker_open", route="kafka") == 1,
              30, "no broker answers")
        until(lambda: "[-]kafka" in daemon.get("/readyz?verbose")[1], 10,
              "and /readyz says it")
    finally:
        cell.script("kafka.sh", "start")
    assert relay_cell.arrived(90) == 0
    assert (spent(daemon), relay_cell.letters()) == (0, [])
    until(lambda: daemon.metric("relay_breaker_open") == 0, 30, "closed")


def test_a_silent_broker_opens_the_topics_breaker(relay_cell, relay, cell):
    """It takes connections and never answers: one record at a time tries."""
    daemon = relay(outage_after="1s", outbox_policy="skip-after-1",
                   results_policy="skip-after-1")
    relay_cell.load(100)
    relay_cell.arrived()
    pid = int((cell.state / "run" / "kafka.pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        relay_cell.load(500)
        until(lambda: daemon.metric("relay_breaker_open", route="outbox") == 1
              and daemon.metric("relay_breaker_open", route="results") == 1,
              30, "open")
        verbose = daemon.get("/readyz?verbose")
        assert verbose[0] == 503
        assert "[-]breaker" in verbose[1] and "(outage)" in verbose[1]
        # nothing but one trial a topic is handed out meanwhile
        at = daemon.metric("relay_rows_produced_total")
        until(lambda: daemon.metric("relay_rows_produced_total") > at, 60,
              "a trial")
        assert daemon.metric("relay_rows_produced_total") <= at + 4
    finally:
        os.kill(pid, signal.SIGCONT)
    relay_cell.arrived(90)
    assert (spent(daemon), relay_cell.letters()) == (0, [])
    until(lambda: daemon.metric("relay_breaker_open") == 0, 60, "closed")


def test_a_quota_slows_down_and_costs_nothing(relay_cell, relay, kafka):
    cell = relay_cell
    client = f"relay-{cell.slot}"
    kafka.quota(client, 20000)
    try:
        daemon = relay(client_id=client, outbox_policy="skip-after-1",
                       inflight="64KiB")
        for n in range(60):
            cell.event(f"k{n % 5}", payload=noise(4000, n))
        until(lambda: daemon.metric("relay_throttled_total") > 0, 60,
              "throttled")
    finally:
        kafka.quota(client, None)
    assert cell.arrived(90) == 0
    assert (spent(daemon), cell.letters()) == (0, [])


@pytest.fixture
def guarded(cell, database, db):
    """A cell whose Kafka asks who may write what."""
    broker = Broker(
        "authorizer.class.name=org.apache.kafka.metadata.authorizer."
        "StandardAuthorizer\nallow.everyone.if.no.acl.found=true")
    try:
        made = Cell(cell, Kafka(broker.start()), database, db)
        made.topics()
        yield made
    finally:
        broker.stop()


def test_a_topic_without_rights_is_tried_alone_and_mended(guarded, daemons):
    cell = guarded
    denied, skipped = cell.prefix + "denied", cell.prefix + "skipped"
    cell.kafka.create(denied, skipped)
    for topic in (denied, skipped):
        cell.kafka.may_write(topic, False)
    daemon = daemons("outbox-relay", **cell.flags(
        routes=f"skipped={skipped}:skip-after-2"))
    rows = [cell.event("a", "denied") for _ in range(3)]
    first = cell.event("x", "skipped")
    letters = until(lambda: (x := cell.letters()) and len(x) == 2 and x, 60,
                    "the first of each is parked")
    assert {(x["row_id"], x["attempts"], x["blocks_key"], x["error_class"])
            for x in letters} == {(rows[0], 3, True, "topic"),
                                  (first, 2, False, "topic")}
    assert spent(daemon) == 5
    flowing = [cell.event(f"s{n}") for n in range(20)]
    until(lambda: set(flowing) <= set(cell.ids(cell.stock)), 20,
          "others flow")
    until(lambda: daemon.metric("relay_breaker_open") == 2, 10, "open")
    status, text = daemon.get("/readyz?verbose")
    assert status == 200 and "TOPIC_AUTHORIZATION_FAILED" in text
    # while it refuses, the next key does not wait for attempts of its own
    other = cell.event("b", "denied")
    until(lambda: other in {x["row_id"] for x in cell.letters()}, 40,
          "parked at once, or by its trial")

    cell.kafka.may_write(denied, True)
    cell.dlq("replay", "--topic", denied, "--reason", "right given")
    until(lambda: first_seen(cell, denied) == {"a": rows, "b": [other]}, 60,
          "in order")
    later = cell.event("a", "denied")
    until(lambda: later in cell.ids(denied), 20, "the key flows")
    until(lambda: daemon.metric("relay_breaker_open", route="outbox") == 0,
          20, "closed")
