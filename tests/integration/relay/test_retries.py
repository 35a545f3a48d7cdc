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
from harness.relay_rows import Cell, first_seen, noise, small_topic
from harness.wait import until

SEED = int(os.environ.get("SEED") or random.randrange(1 << 30))


def spent(daemon):
    return daemon.metric("relay_refusals_total")


def test_skip_after_n_attempts_parks_and_the_key_goes_on(relay_cell, relay):
    cell = relay_cell
    topic = small_topic(cell)
    daemon = relay(routes=f"small={topic}:skip-after-8")
    before = cell.event("a", "small")
    big = cell.event("a", "small", payload=noise(60000))
    later = [cell.event("a", "small") for _ in range(5)]
    # for some seconds: seven pauses, longer each time
    until(lambda: daemon.metric("relay_held_keys") == 1, 60, "on trial")
    # another key of the topic and another topic do not wait for the trial
    other, stock = cell.event("b", "small"), cell.event("s")
    until(lambda: other in cell.ids(topic) and stock in cell.ids(cell.stock),
          60, "others flow")
    letters = until(cell.letters, 120, "parked")
    assert [(x["row_id"], x["error_class"], x["attempts"], x["blocks_key"])
            for x in letters] == [(big, "too_large", 8, False)]
    daemon.wait_metric(8, "relay_refusals_total")
    until(lambda: first_seen(cell, topic).get("a") == [before, *later], 60,
          "the key goes on, in order")
    daemon.wait_metric(0, "relay_held_keys")
    assert cell.sql("SELECT count(*) FROM outbox_retry") == [(0,)]


def test_what_passes_a_held_key_takes_no_room(relay_cell, relay):
    """Four times as much as may be in flight passes it by."""
    cell = relay_cell
    topic = small_topic(cell)
    daemon = relay(routes=f"small={topic}:skip-after-100", inflight="1MiB")
    big = cell.event("a", "small", payload=noise(60000))
    until(lambda: daemon.metric("relay_held_keys") == 1, 60, "on trial")
    payload, passing = noise(1000), []
    for _ in range(40):
        with cell.db.cursor() as cur:
            cur.execute("BEGIN")
            passing += [cell.event(f"s{n}", payload=payload, cur=cur)
                        for n in range(100)]
            cur.execute("COMMIT")
    until(lambda: set(passing) <= set(cell.ids(cell.stock)), 120,
          "the others flow")
    daemon.wait_metric(1, "relay_in_flight_rows")
    assert daemon.metric("relay_held_keys") == 1
    # nothing of it is acknowledged: the next one begins with the held row
    daemon.kill()
    relay(routes=f"small={topic}:skip-after-1")
    letters = until(cell.letters, 120, "parked")
    assert [x["row_id"] for x in letters] == [big]


def test_a_stop_does_not_wait_for_the_attempts_of_a_key(relay_cell, relay):
    cell = relay_cell
    topic = small_topic(cell)
    daemon = relay(routes=f"small={topic}:skip-after-100",
                   drain_deadline="90s")
    big = cell.event("a", "small", payload=noise(60000))
    later = cell.event("a", "small")
    daemon.wait_metric(1, "relay_held_keys")
    assert daemon.stop(60) == 0
    # nothing was acknowledged of it: the next relay begins with both
    relay(routes=f"small={topic}:skip-after-1")
    until(lambda: first_seen(cell, topic) == {"a": [later]}, 60,
          "the key goes on")
    until(cell.letters, 60, "parked")
    assert [(x["row_id"], x["attempts"]) for x in cell.letters()] == [(big, 1)]


def test_a_blocked_key_says_why_and_an_operator_skips_it(relay_cell, api):
    cell = relay_cell
    topic = small_topic(cell)
    served = api()
    daemon = served.daemon
    big = cell.event("a", "small", payload=noise(60000))
    later = [cell.event("a", "small") for _ in range(3)]
    until(lambda: cell.sql("SELECT count(*) FROM outbox_retry") == [(3,)],
          60, "its key waits")
    # alone, once: Kafka says it of this record
    daemon.wait_metric(1, "relay_refusals_total")
    (key,) = [json.loads(x) for x in cell.dlq("keys", "--json").splitlines()]
    assert (key["topic"], key["key"], key["waiting"], key["error_class"],
            key["attempts"]) == (topic, "a", 3, "too_large", 1)
    assert "too large" in key["reason"] and key["age_seconds"] >= 0
    assert "too_large: " in cell.dlq("keys")
    (seen,) = served.get("keys")["keys"]
    assert {**seen, "age_seconds": 0} == {**key, "age_seconds": 0}

    skip = ["discard", "--topic", topic, "--key", "a"]
    assert "would discard" in cell.dlq(*skip, "--dry-run")
    cell.dlq(*skip, status=64)  # no reason given
    assert [x["row_id"] for x in cell.letters()] == [big]
    cell.dlq(*skip, "--reason", "the customer left", "--actor", "ann")
    until(lambda: first_seen(cell, topic).get("a") == later, 60, "released")
    assert cell.sql(
        "SELECT actor, reason FROM audit_events WHERE action = 'dlq.discard'"
        ) == [("ann", "the customer left")]
    until(lambda: cell.dlq("keys") == "", 60, "swept")


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
    until(lambda: first_seen(cell, topic) == good, 180, "all, in order",
          every=0.5)
    # one may be the last of its key: nothing came that had to wait for it
    letters = until(lambda: (x := cell.letters("--limit", "1000"))
                    and len(x) >= len(bad) and x, 60, "each is parked")
    assert {x["row_id"] for x in letters} == set(bad)
    assert {x["attempts"] for x in letters} == {2}
    daemon.wait_metric(2 * len(bad), "relay_refusals_total")


def test_thousands_on_trial_hold_up_no_other_topic(relay_cell, relay):
    """A batch is refused whole, and each of its rows is a suspect then. Nor
    does a row that the relay itself refuses wait for their end."""
    cell = relay_cell
    topic = small_topic(cell)
    daemon = relay(routes=f"small={topic}")
    cell.sql("INSERT INTO outbox (seq, id, aggregatetype, aggregateid, type, "
             "payload, created_at) SELECT n, gen_random_uuid(), 'small', "
             "'k' || n, 'happened', (SELECT to_json(string_agg(md5(n::text || i), "
             "''))::text FROM generate_series(1, 50) i), now() "
             "FROM generate_series(1, 8000) n")
    until(lambda: daemon.metric("relay_held_keys") > 3000, 60, "suspects")
    cell.seq = 9000
    large = cell.event("large", payload='"' + "x" * 1100000 + '"')
    cell.sent.clear()
    cell.event("other")
    cell.arrived()
    then = cell.records(cell.stock)[-1]["ts"]
    until(lambda: len(set(cell.ids(topic))) == 8000, 180, "all of them")
    assert any(r["ts"] > then for r in cell.records(topic))
    assert [x["row_id"] for x in cell.letters()] == [large]


def test_a_suspect_that_was_put_aside_meanwhile_holds_up_nothing(bare, daemons):
    """One event for two topics: while it is on trial for one it becomes a
    letter of the other, which is missing, and is passed over then."""
    shop, topic = bare, small_topic(bare)
    shop.sql("ALTER TABLE outbox DROP CONSTRAINT outbox_pkey")
    shop.alone.install("public.outbox", "outbox_relay")
    daemon = daemons("outbox-relay", **shop.flags(
        outbox_policy="skip-after-100", topic_wait="3s"))
    large = noise(25000)
    twice = shop.order("a", "missing", payload=large)
    shop.order("a", "small", payload=large, row_id=twice)
    shop.order("b", "small", payload=large)
    daemon.wait_metric(2, "relay_held_keys")
    until(lambda: [x["row_id"] for x in shop.letters()] == [twice], 60,
          "the letter")
    daemon.wait_metric(1, "relay_rows_passed_over_total")
    daemon.wait_metric(1, "relay_held_keys")
    tried = daemon.metric("relay_refusals_total")
    until(lambda: daemon.metric("relay_refusals_total") > tried, 60,
          "the other one is tried")
    last = shop.order("a", "small")
    until(lambda: last in shop.ids(topic), 60, "the key flows")


def test_a_stopped_broker_costs_no_attempt(relay_cell, relay, cell):
    daemon = relay(outbox_policy="skip-after-1",
                   results_policy="skip-after-1")
    relay_cell.load(100)
    relay_cell.arrived()
    # what Kafka has and has not acknowledged would come again
    daemon.wait_metric(100, "relay_rows_delivered_total")
    cell.script("kafka.sh", "stop")
    try:
        relay_cell.load(500)
        until(lambda: daemon.metric("relay_breaker_open", route="kafka") == 1,
              60, "no broker answers")
        until(lambda: "[-]kafka" in daemon.get("/readyz?verbose")[1], 60,
              "and /readyz says it")
    finally:
        cell.script("kafka.sh", "start")
    assert relay_cell.arrived(120) == 0
    assert (spent(daemon), relay_cell.letters()) == (0, [])
    daemon.wait_metric(0, "relay_breaker_open", 120)


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

        def opened():
            # of a topic of which nothing was in hand nothing is known
            return next((route for route in ("outbox", "results") if
                         daemon.metric("relay_breaker_open", route=route)),
                        None)
        route = until(opened, 60, "open")

        def told():
            status, text = daemon.get("/readyz?verbose")
            return (status == 503 and "[-]breaker" in text
                    and "(outage)" in text)
        until(told, 60, "/readyz says it")
        # nothing but one trial is handed out meanwhile: some in the time
        # between two looks, and not the topic's 250 rows

        def produced():
            return daemon.metric("relay_rows_produced_total", route=route)
        at = produced()
        seen = until(lambda: (n := produced()) > at and n, 120, "a trial")
        assert seen <= at + 20
    finally:
        os.kill(pid, signal.SIGCONT)
    relay_cell.arrived(120)
    assert (spent(daemon), relay_cell.letters()) == (0, [])
    daemon.wait_metric(0, "relay_breaker_open", 120)


def test_a_quota_slows_down_and_costs_nothing(relay_cell, relay, kafka):
    cell = relay_cell
    client = f"relay-{cell.slot}"
    kafka.quota(client, 20000)
    try:
        daemon = relay(client_id=client, outbox_policy="skip-after-1",
                       inflight="64KiB")
        for n in range(60):
            cell.event(f"k{n % 5}", payload=noise(4000, n))

        def throttled():
            # the broker may learn of the quota later than its first records
            cell.event("k0", payload=noise(4000, cell.seq))
            return daemon.metric("relay_throttled_total") > 0
        until(throttled, 60, "throttled")
    finally:
        kafka.quota(client, None)
    assert cell.arrived(120) == 0
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
        routes=f"skipped={skipped}:skip-after-2", denied_wait="1s"))
    rows = [cell.event("a", "denied") for _ in range(3)]
    first = cell.event("x", "skipped")
    letters = until(lambda: (x := cell.letters()) and len(x) == 2 and x, 120,
                    "the first of each is parked")
    assert {(x["row_id"], x["attempts"], x["blocks_key"], x["error_class"])
            for x in letters} == {(rows[0], 3, True, "topic"),
                                  (first, 2, False, "topic")}
    daemon.wait_metric(5, "relay_refusals_total")
    flowing = [cell.event(f"s{n}") for n in range(20)]
    until(lambda: set(flowing) <= set(cell.ids(cell.stock)), 60,
          "others flow")
    daemon.wait_metric(2, "relay_breaker_open")

    def told():
        status, text = daemon.get("/readyz?verbose")
        return status == 200 and "TOPIC_AUTHORIZATION_FAILED" in text
    until(told, 60, "it is ready, and says why they are open")
    # while it refuses, the next key does not wait for attempts of its own
    other = cell.event("b", "denied")
    until(lambda: other in {x["row_id"] for x in cell.letters()}, 120,
          "parked at once, or by its trial")

    cell.kafka.may_write(denied, True)
    cell.dlq("replay", "--topic", denied, "--reason", "right given")
    until(lambda: first_seen(cell, denied) == {"a": rows, "b": [other]}, 120,
          "in order")
    later = cell.event("a", "denied")
    until(lambda: later in cell.ids(denied), 60, "the key flows")
    daemon.wait_metric(0, "relay_breaker_open", 120, route="outbox")


def test_who_may_not_know_a_topic_waits_for_the_right(guarded, daemons):
    cell = guarded
    topic = cell.prefix + "denied"
    cell.kafka.create(topic)
    cell.kafka.may_write(topic, False, sees=False)
    daemon = daemons("outbox-relay", **cell.flags(denied_wait="1h"))
    rows = {f"k{n}": [cell.event(f"k{n}", "denied") for _ in range(2)]
            for n in range(3)}
    stock = cell.event("s")
    until(lambda: stock in cell.ids(cell.stock), 60, "others flow")

    def told():
        status, text = daemon.get("/readyz?verbose")
        return status == 503 and "(denied; give the right back" in text
    until(told, 60, "/readyz says it")
    daemon.wait_metric(1, "relay_breaker_open", route="outbox")
    assert (cell.letters(), daemon.metric("relay_missing_topics")) == ([], 0)
    cell.kafka.may_write(topic, True)
    until(lambda: first_seen(cell, topic) == rows, 120, "all, in order")
    daemon.wait_metric(0, "relay_breaker_open", 120, route="outbox")
    assert (cell.letters(), spent(daemon)) == ([], 0)


def test_who_may_never_know_a_topic_has_its_rows_parked(guarded, daemons):
    cell = guarded
    topic = cell.prefix + "denied"
    cell.kafka.create(topic)
    cell.kafka.may_write(topic, False, sees=False)
    daemons("outbox-relay", **cell.flags(denied_wait="1s"))
    row = cell.event("a", "denied")
    (letter,) = until(cell.letters, 120, "it is parked")
    assert (letter["row_id"], letter["error_class"]) == (row, "topic")
    stock = cell.event("s")
    until(lambda: stock in cell.ids(cell.stock), 60, "others flow")


def test_a_right_taken_away_is_waited_for(guarded, daemons):
    """No key is parked: all flow when it is given back."""
    cell = guarded
    topic = cell.prefix + "denied"
    cell.kafka.create(topic)
    daemon = daemons("outbox-relay", **cell.flags(denied_wait="1h"))
    before = cell.event("k0", "denied")
    until(lambda: before in cell.ids(topic), 60, "it may be written to")
    cell.kafka.may_write(topic, False)
    rows = {f"k{n}": [cell.event(f"k{n}", "denied") for _ in range(2)]
            for n in range(50)}
    rows["k0"].insert(0, before)

    def told():
        status, text = daemon.get("/readyz?verbose")
        return (status == 503 and "[-]breaker" in text
                and "TOPIC_AUTHORIZATION_FAILED" in text
                and "(denied; give the right back" in text)
    until(told, 60, "/readyz says it")

    def tried():
        return daemon.metric("relay_rows_produced_total", route="outbox")
    at = tried()
    until(lambda: tried() >= at + 4, 120, "it is tried, more often than rows "
          "had attempts")
    stock = cell.event("s")
    until(lambda: stock in cell.ids(cell.stock), 60, "others flow")
    assert (cell.letters(), spent(daemon)) == ([], 0)
    assert daemon.metric("relay_blocked_keys") == 0

    cell.kafka.may_write(topic, True)
    until(lambda: first_seen(cell, topic) == rows, 120, "all, in order")
    daemon.wait_metric(0, "relay_breaker_open", 120, route="outbox")
    assert (cell.letters(), spent(daemon)) == ([], 0)
