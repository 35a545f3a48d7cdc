"""Webhooks: events to HTTP endpoints, beside Kafka and never in its way."""

import email.utils
import json
import os
import random
import re
import subprocess
import threading
import time

import pytest
import yaml

from harness.cell import OUT, ROOT
from harness.hook_server import KEY, HookServer, all_done
from harness.wait import until

SEED = int(os.environ.get("SEED") or random.randrange(1 << 30))
RULES = ROOT / "deploy" / "prometheus"
OTHER_KEY = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def dead_server():
    """Nobody listens; its port is below those of outgoing connections, so
    that it can be started."""
    for _ in range(200):
        try:
            made = HookServer(port=random.randrange(20000, 32000))
        except OSError:
            continue  # taken
        made.stop()
        return made
    raise AssertionError("no free port found between 20000 and 31999")


def by_key(cell, ids):
    """{key: ids in this order} of the events that the test has sent."""
    keys = {i: key for _, key, i in cell.sent}
    found = {}
    for i in ids:
        found.setdefault(keys[i], []).append(i)
    return found


def sent_by_key(cell):
    return by_key(cell, [i for _, _, i in cell.sent])


def test_signed_filtered_and_beside_kafka(relay_cell, relay, hooks, server,
                                          tmp_path):
    cell = relay_cell
    (tmp_path / "next").write_text(OTHER_KEY)
    daemon = relay(webhooks=hooks(
        a={"aggregatetype": "st*", "secret_file_next": tmp_path / "next"},
        b={"type": "happened", "aggregatetype": "nobody, stock",
           "body": "payload"},
        c={"type": "never.*"}))
    first = cell.event("k1", payload='{"v": 1.50}', traceparent=f"00-{'a' * 32}"
                       f"-{'b' * 16}-01")
    ids = [first] + [cell.event(f"k{n % 3}") for n in range(20)]
    until(lambda: len(server.ids()) >= 2 * len(ids), 60, "both endpoints")
    cell.arrived()
    all_done(cell, 2 * len(ids))
    seen = server.seen()
    assert len(seen) == 2 * len(ids)
    a = {r.id: r for r in seen if r.path == "/a"}
    b = {r.id: r for r in seen if r.path == "/b"}
    assert a.keys() == b.keys() == set(ids)
    assert all(r.signed_by(KEY) and r.signed_by(OTHER_KEY)
               for r in a.values())
    assert all(r.signed_by(KEY) and not r.signed_by(OTHER_KEY)
               for r in b.values())
    assert b[first].body == b'{"v": 1.50}'
    assert b[first].headers["content-type"] == "application/json"
    assert b[first].headers["webhook-event-type"] == "happened"
    assert b[first].headers["traceparent"].startswith("00-aaa")
    assert a[first].json["type"] == "happened"
    assert a[first].json["data"] == {"v": 1.5}
    assert b'"data":{"v": 1.50}' in a[first].body
    daemon.wait_metric(len(ids), "relay_webhook_delivered_total",
                       endpoint="a")
    assert daemon.metric("relay_webhook_delivered_total", endpoint="c") == 0
    # read again from the beginning: Kafka hears it twice, no endpoint does
    assert daemon.stop() == 0
    cell.sql("UPDATE relay_progress SET lsn = NULL, snapshot = NULL")
    relay(webhooks=str(tmp_path / "endpoints.conf"))
    last = cell.event("k1")
    until(lambda: server.ids().count(last) == 2, 60, "the new one")
    until(lambda: len(cell.ids(cell.stock)) >= 2 * len(ids) + 1, 60, "again")
    assert len(server.ids()) == 2 * len(ids) + 2


def test_tls_is_verified(relay_cell, relay, hooks, tmp_path):
    """By webhooks_ca, and by the name that was asked for."""
    files = tmp_path / "cert", tmp_path / "tls.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-out", str(files[0]), "-keyout", str(files[1])],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    secure = HookServer(tls=files)
    at = f":{secure.port}/hook"
    conf = hooks(a={"url": "https://localhost" + at, "allow_http": None},
                 b={"url": "https://127.0.0.1" + at, "allow_http": None})
    try:
        daemon = relay(webhooks=conf, webhooks_ca=str(files[0]))
        one = relay_cell.event("k1")
        until(lambda: secure.ids() == [one], 60, "the verified one")
        until(lambda: daemon.metric("relay_webhook_failures_total",
                                    endpoint="b", failure="outage"), 60,
              "the other name is refused")
        assert daemon.stop() == 0
        # nobody that the system trusts has signed it
        daemon = relay(webhooks=conf)
        relay_cell.event("k1")
        until(lambda: daemon.metric("relay_webhook_failures_total",
                                    endpoint="a", failure="outage"), 60,
              "an unknown issuer is refused")
        assert secure.ids() == [one]
    finally:
        secure.stop()


def test_order_per_key_through_failures(relay_cell, relay, hooks, server):
    """Whatever the endpoint does, a later event of a key is not sent before
    the earlier one was taken, and no more at once than were asked for."""
    print(f"SEED={SEED}")
    cell, rng = relay_cell, random.Random(SEED)
    taken, early = [], []
    keys, order = {}, {}
    lock = threading.Lock()

    def answer(request):
        with lock:
            key = keys[request.id]
            due = next(i for i in order[key] if i not in taken)
            if request.id != due and request.id not in taken:
                early.append(request.id)
            choice = rng.randrange(10)
            if choice == 0:
                return 500, {"Retry-After": "0"}, b"not now"
            if choice == 1:
                return b"this is no HTTP\r\n\r\n"
            if choice == 2:
                return b""
            taken.append(request.id)
            return 200, {}, b"x" * 100000
    server.answer = answer
    relay(webhooks=hooks(a={"concurrency": 3, "attempts": 100}))
    with lock:  # nothing is answered before its key is known
        for n in range(90):
            key = f"k{n % 7}"
            row_id = cell.event(key)
            keys[row_id] = key
            order.setdefault(key, []).append(row_id)
    all_done(cell, 90, 180)
    assert early == []
    assert by_key(cell, dict.fromkeys(taken)) == sent_by_key(cell)
    assert server.most <= 3
    assert cell.letters() == []
    assert cell.arrived() == 0


def test_quota_spends_no_attempt_and_waits_as_told(relay_cell, relay, hooks,
                                                   server):
    cell = relay_cell
    answers = [
        lambda: (429, {"Retry-After": "1"}, b""),
        lambda: (429, {"Retry-After": email.utils.formatdate(
            time.time() + 2, usegmt=True)}, b""),
        lambda: (503, {"Retry-After": "0"}, b"")]
    server.answer = lambda request: answers.pop(0)() if answers else 204
    daemon = relay(webhooks=hooks(a={"attempts": 1}))
    ids = [cell.event("k1") for _ in range(3)]
    all_done(cell, 3)
    assert server.ids() == [ids[0]] * 3 + ids
    at = [r.at for r in server.seen()]
    assert at[1] - at[0] >= 0.9, "as many seconds as were named"
    assert at[3] - at[2] >= 0.9, "0 is not believed"
    daemon.wait_metric(3, "relay_webhook_failures_total", endpoint="a",
                       failure="quota")
    assert cell.sql("SELECT max(attempts) FROM webhook_deliveries") == [(0,)]
    assert cell.letters() == []


def test_dead_letter_blocks_its_key_until_replayed(relay_cell, relay, hooks,
                                                   server):
    cell = relay_cell
    gone = set()
    server.answer = lambda r: ((410, {}, b'{"why": "g\xc3\xb6ne"}')
                               if r.id in gone else 204)
    daemon = relay(webhooks=hooks())
    with server.lock:
        bad = cell.event("k1", payload='{"n": 1}')
        gone.add(bad)
    behind = [cell.event("k1") for _ in range(2)]
    other = cell.event("k2")
    letter = until(cell.letters, 60, "the letter")[0]
    until(lambda: other in server.ids(), 60, "other keys flow")
    assert (letter["topic"], letter["error_class"], letter["row_id"],
            letter["blocks_key"]) == ("webhook:a", "http_410", bad, True)
    assert letter["reason"].startswith("answered 410: ")
    shown = cell.dlq("show", letter["letter_id"])
    assert "ch_webhook_status" in shown and "410" in shown
    assert '{"n": 1}' in shown
    until(lambda: daemon.metric("relay_webhook_blocked_keys",
                                endpoint="a") == 1, 60, "gauge")
    until(lambda: daemon.metric("relay_webhook_pending", endpoint="a") == 2,
          60, "two wait")
    assert cell.sql("SELECT topic, convert_from(record_key, 'UTF8'), waiting "
                    "FROM blocked_keys") == [("webhook:a", "k1", 2)]
    listed = json.loads(cell.dlq("keys", "--json"))
    assert (listed["topic"], listed["key"], listed["waiting"],
            listed["letter_id"]) == ("webhook:a", "k1", 2,
                                     letter["letter_id"])
    assert daemon.metric("relay_blocked_keys") == 0, "Kafka's keys are free"

    # it comes back from a replay: another letter, which knows how often
    dry = cell.dlq("replay", letter["letter_id"], "--dry-run")
    assert "would replay" in dry
    cell.dlq("replay", letter["letter_id"], "--reason", "try", "--actor", "ann")
    cell.dlq("replay", letter["letter_id"], "--reason", "twice", status=2)
    again = until(cell.letters, 60, "another letter")[0]
    for more in ([], ["--dry-run"]):
        ran = cell.run_dlq("discard", letter["letter_id"], "--reason", "no",
                           *more)
        assert ran.returncode == 2 and "it is resolved" in ran.stderr
    assert again["letter_id"] != letter["letter_id"]
    assert again["row_id"] == bad and server.ids().count(bad) == 2

    gone.clear()
    cell.dlq("replay", again["letter_id"], "--reason", "mended", "--actor",
             "bob")
    all_done(cell, 4)
    assert by_key(cell, server.ids())["k1"] == [bad] * 3 + behind
    assert all(r.signed_by() for r in server.seen())
    states = dict(cell.sql("SELECT letter_id, state FROM letter_states"))
    assert states[again["letter_id"]] == "resolved"
    assert cell.sql("SELECT actor, reason, after->>'state' FROM audit_events "
                    "WHERE action = 'dlq.replay' ORDER BY event_id") == [
        ("ann", "try", "replayed"), ("bob", "mended", "replayed")]
    assert cell.dlq("keys") == ""


def test_a_key_that_comes_back_has_no_version_that_it_had(
        relay_cell, relay, hooks, server):
    """Else a leader that was stopped with "it is empty, of version 1" in hand
    would take out a key that has something to send again."""
    cell = relay_cell
    gate = threading.Event()

    def answer(request):
        gate.wait(60)
        return 204
    server.answer = answer
    relay(webhooks=hooks())

    def life():
        """The key's versions from its first event to its end."""
        seen = set()

        def look():
            seen.update(v for v, in cell.sql("SELECT version "
                                             "FROM webhook_keys"))
            return seen
        gate.clear()
        cell.event("k1")
        until(look, 60, "the key is there")
        gate.set()
        until(lambda: look() and cell.sql("SELECT 1 FROM webhook_keys") == [],
              60, "and gone")
        return seen
    first, second = life(), life()
    assert max(first) + 1 < min(second)


def test_dead_letters_discarded_edited_and_planned(relay_cell, relay, hooks,
                                                   server, tmp_path):
    cell = relay_cell
    server.answer = lambda r: 422 if b"bad" in r.body else 204
    relay(webhooks=hooks())
    rows = {key: cell.event(key, payload='{"v": "bad"}')
            for key in ("k1", "k2", "k3")}
    later = {key: cell.event(key) for key in rows}
    letters = until(lambda: (x := cell.letters()) and len(x) == 3 and x, 60,
                    "three letters")
    of = {x["row_id"]: x["letter_id"] for x in letters}
    assert set(of) == set(rows.values())

    cell.dlq("discard", of[rows["k1"]], "--reason", "no use")
    until(lambda: later["k1"] in server.ids(), 60, "its key goes on")

    (tmp_path / "value").write_text('{"v": "good"}')
    cell.dlq("edit", of[rows["k2"]], "--set-file", str(tmp_path / "value"),
             "--reason", "mended")
    edited = next(x for x in cell.letters() if x["row_id"] == rows["k2"])
    cell.dlq("plan", "--topic", "webhook:a", "--reason", "all of them")
    plan = str(cell.sql("SELECT max(plan_id) FROM replay_plans")[0][0])
    cell.dlq("approve", plan, "--reason", "yes", "--actor", "bob")
    server.answer = lambda r: 204
    cell.dlq("run", plan)
    all_done(cell, 6)
    ids = server.ids()
    assert ids.count(rows["k3"]) == 2
    assert ids.index(later["k3"]) > ids.index(rows["k3"])
    # what was edited is another message: whoever knows the id must take it
    assert ids.index(edited["letter_id"]) < ids.index(later["k2"])
    assert ids.count(rows["k2"]) == 1
    assert cell.letters() == []
    assert cell.sql("SELECT count(*) FROM letter_states "
                    "WHERE state = 'pending'") == [(0,)]


def test_skip_lets_the_key_go_on(relay_cell, relay, hooks, server):
    cell = relay_cell
    answers = {}
    server.answer = lambda r: answers.get(r.id, 204)
    relay(webhooks=hooks(a={"policy": "skip"}))
    with server.lock:
        bad = cell.event("k1")
        answers[bad] = (302, {"Location": server.url("/elsewhere")}, b"")
    later = cell.event("k1")
    all_done(cell, 2)
    assert server.ids() == [bad, later]
    assert {r.path for r in server.seen()} == {"/a"}, "not followed"
    letter = cell.letters()[0]
    assert (letter["error_class"], letter["blocks_key"]) == ("http_302", False)
    assert "redirects are not followed" in letter["reason"]
    answers.clear()
    cell.dlq("replay", letter["letter_id"], "--reason", "url mended")
    until(lambda: server.ids() == [bad, later, bad], 60, "replayed")
    all_done(cell, 2)


def test_attempts_end_and_answers_are_bounded(relay_cell, relay, hooks,
                                              server):
    cell = relay_cell
    server.answer = lambda r: (500, {}, b"<\x00" + b"x" * 10000000)
    relay(webhooks=hooks(a={"attempts": 3}))
    cell.event("k1")
    letter = until(cell.letters, 60, "the letter")[0]
    assert letter["error_class"] == "http_500"
    assert len(server.ids()) == 3
    attempts, response, value, size = cell.sql(
        "SELECT attempts, header_values[array_position(header_names, "
        "'ch_webhook_response'::bytea)], value, length(reason) "
        "FROM dead_letters")[0]
    assert attempts == 3 and len(bytes(response)) == 4096 and size < 300
    assert bytes(response).startswith(b"<\x00xx")
    assert bytes(value) == b'{"v": 1}'


@pytest.mark.parametrize("status,attempts", [(204, 2), (500, 2), (429, 2),
                                             (422, 1)],
                         ids=["done", "again", "later", "bury"])
def test_an_answer_is_not_written_to_another_delivery(
        relay_cell, relay, hooks, server, status, attempts):
    """A server that is put back in place gives numbers out again: what was in
    hand then is not what has its number now."""
    cell, gate = relay_cell, threading.Event()
    first = []

    def answer(request):
        if request.id not in first:
            return 204
        gate.wait(60)
        return status
    server.answer = answer
    daemon = relay(webhooks=hooks(a={"attempts": attempts}))
    first.append(cell.event("k1"))
    until(lambda: server.ids() == first, 60, "it is in hand")
    cell.sql("UPDATE webhook_deliveries SET event_id = 'other', webhook_id = "
             "'other'")
    gate.set()
    until(lambda: "other" in server.ids(), 60, "what has the number now")
    all_done(cell, 1)
    assert cell.sql("SELECT event_id, attempts, last_status, letter_id, "
                    "refused_at FROM webhook_deliveries") == [
        ("other", 0, 204, None, None)]
    assert cell.letters() == []
    assert server.ids() == [*first, "other"]
    until(lambda: "event=webhook.other_delivery" in daemon.logged(), 60,
          "it is told")


def test_endpoint_down_holds_nothing_back(relay_cell, relay, hooks, server):
    """Kafka, the position and the other endpoint go on; no attempt is spent."""
    cell = relay_cell
    dead = dead_server()
    daemon = relay(webhooks=hooks(
        a={"url": dead.url("/a"), "attempts": 1},
        b={"url": server.url("/b")}))
    ids = [cell.event(f"k{n % 5}") for n in range(200)]
    cell.arrived()
    until(lambda: set(server.ids()) == set(ids), 60, "the other endpoint")
    until(lambda: daemon.metric("relay_in_flight_rows") == 0, 60,
          "nothing is in flight")
    until(lambda: daemon.metric("relay_webhook_pending",
                                endpoint="a") == len(ids), 60, "pending")
    until(lambda: daemon.metric("relay_webhook_breaker", endpoint="a") == 1,
          60, "the breaker is open")
    until(lambda: daemon.metric("relay_webhook_oldest_seconds",
                                endpoint="a") > 0, 60, "their age")
    assert cell.letters() == []
    until(lambda: daemon.get("/readyz")[0] == 200, 60, "ready all the same")
    assert cell.sql("SELECT max(attempts) FROM webhook_deliveries") == [(0,)]
    dead.start()
    try:
        all_done(cell, 2 * len(ids), 180)
        assert by_key(cell, dead.first_ids()) == sent_by_key(cell)
    finally:
        dead.stop()


@pytest.mark.parametrize("name,args,column", [
    ("page", "'a', '{}', 10, false, 1000", "next_at"),
    ("page", "'a', '{}', 10, true, 1000", "next_at"),
    ("look", "'{a}'", "next_at"), ("forget", "1000", "done_at")],
    ids=["page", "newest", "look", "forget"])
def test_an_index_bounds_what_is_read(relay_cell, name, args, column):
    text = (ROOT / f"services/outbox-relay/sql/webhook_{name}.sql").read_text()
    relay_cell.sql("SET enable_seqscan = off")
    relay_cell.sql(f"PREPARE asked AS {text}")
    plan = relay_cell.sql(f"EXPLAIN EXECUTE asked({args})")
    assert any(re.search(rf"Index Cond: .*\b{column} <", line)
               for line, in plan), plan


@pytest.mark.parametrize("status", [503, 429])
def test_one_bad_event_holds_no_other_key(relay_cell, relay, hooks, server,
                                          status):
    cell, bad = relay_cell, set()
    server.answer = lambda r: status if r.id in bad else 204
    daemon = relay(webhooks=hooks(a={"attempts": 3}))
    with server.lock:
        bad.add(cell.event("bad"))
    until(lambda: daemon.metric("relay_webhook_breaker", endpoint="a") == 1,
          60, "the breaker is open")
    others = [cell.event(f"k{n}") for n in range(5)]
    until(lambda: set(others) <= set(server.ids()), 60, "the others")
    if status == 429:  # costs no attempt, however long
        assert cell.letters() == []
        return
    letter = until(cell.letters, 60, "the letter")[0]
    assert ({letter["row_id"]}, letter["error_class"],
            letter["blocks_key"]) == (bad, "http_503", True)


@pytest.mark.parametrize("status", [503, 429])
def test_the_last_answer_is_kept_while_a_delivery_waits(
        relay_cell, relay, hooks, server, status):
    cell = relay_cell
    server.answer = lambda r: (status, {}, b"closed for lunch")
    relay(webhooks=hooks(a={}))
    cell.event("k0")
    until(lambda: cell.sql(
        "SELECT last_status, convert_from(last_response, 'UTF8') "
        "FROM webhook_deliveries") == [(status, "closed for lunch")], 60,
        "what it answered")


def test_an_outage_of_all_condemns_nothing(relay_cell, relay, hooks, server):
    """Even after one was taken in between."""
    cell = relay_cell
    server.answer = lambda r: 503
    daemon = relay(webhooks=hooks(a={"attempts": 1}))
    failures = {"endpoint": "a", "failure": "outage"}

    def outages(n):
        until(lambda: daemon.metric("relay_webhook_failures_total",
                                    **failures) >= n, 60, f"{n} outages")
    ids = [cell.event(f"k{n}") for n in range(5)]
    outages(5)
    server.answer = lambda r: 204
    all_done(cell, 5)
    server.answer = lambda r: 503
    ids += [cell.event(f"k{n}") for n in range(5)]
    outages(daemon.metric("relay_webhook_failures_total", **failures) + 4)
    server.answer = lambda r: 204
    all_done(cell, 10)
    assert by_key(cell, server.first_ids()) == by_key(cell, ids)
    assert cell.letters() == []


def test_hanging_and_dripping_answers_are_timeouts(relay_cell, relay, hooks,
                                                   server):
    cell = relay_cell
    slow = {"/a": True, "/b": True}

    def drip(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
        while not server.closed.wait(0.05) and slow.get("/b"):
            handler.wfile.write(b"x")
            handler.wfile.flush()

    def answer(request):
        if not slow.get(request.path):
            return 204
        return drip if request.path == "/b" else None
    server.answer = answer
    hangs = {"timeout": "300ms", "attempts": "100"}
    daemon = relay(webhooks=hooks(a=hangs, b=hangs, c={}))
    ids = [cell.event(f"k{n}") for n in range(10)]
    until(lambda: {r.id for r in server.seen() if r.path == "/c"} == set(ids),
          60, "the live one")
    for name in "ab":
        until(lambda: daemon.metric("relay_webhook_failures_total",
                                    endpoint=name, failure="outage") >= 3, 60,
              "timeouts")
    slow.clear()
    all_done(cell, 3 * len(ids), 120)
    assert cell.letters() == []


def test_no_private_address_is_connected_to(relay_cell, relay, hooks, server):
    """Neither by number nor by a name that leads there."""
    cell = relay_cell
    by_name = f"http://localhost:{server.port}/b"
    daemon = relay(webhooks=hooks(a={"allow_private": None},
                                  b={"url": by_name, "allow_private": None},
                                  c={}))
    cell.event("k1")
    until(lambda: [r.path for r in server.seen()] == ["/c"], 60, "the allowed")
    for name in "ab":
        until(lambda: daemon.metric("relay_webhook_failures_total",
                                    endpoint=name, failure="outage") >= 3, 60,
              "refused")
    until(lambda: "the address is not allowed" in daemon.logged(), 60, "why")
    assert [r.path for r in server.seen()] == ["/c"]
    assert cell.letters() == []


def test_alerts_by_a_template(relay_cell, relay, hooks, server, tmp_path,
                              kafka):
    cell, alerts = relay_cell, kafka.unique("fleet.alerts")
    kafka.create(alerts)
    (tmp_path / "chat").write_text(
        '{"text": "*{{alert}}* {{detail.account}}: {{none}} ({{$type}})"}\n')
    (tmp_path / "head").write_text("Authorization: GenieKey 1234\n")
    relay(routes=f"fleet.alerts={alerts}", webhooks=hooks(chat={
        "aggregatetype": "fleet.alerts", "template_file": tmp_path / "chat",
        "header_file": tmp_path / "head", "secret_file": None,
        "sign": "false"}))
    cell.event("acme/a", kind="fleet.alerts", topic=alerts,
               payload='{"alert": "a \\"b\\"", "detail": {"account": "u1"}}')
    cell.event("acme/b")
    cell.arrived()
    all_done(cell, 1)
    seen = server.seen()
    assert len(seen) == 1
    assert seen[0].json == {"text": '*a "b"* u1:  (happened)'}
    assert seen[0].headers["authorization"] == "GenieKey 1234"
    assert "webhook-signature" not in seen[0].headers


def test_kill_minus_9_loses_nothing(relay_cell, relay, hooks, server):
    """Repeated deliveries have the same id, and each key its order."""
    print(f"SEED={SEED}")
    cell, rng = relay_cell, random.Random(SEED)
    flags = {"webhooks": hooks(a={"concurrency": 8})}
    daemon = relay(**flags)
    load = threading.Thread(target=cell.load, args=(
        1500, random.Random(SEED)))
    load.start()
    for _ in range(4):
        at, step = len(server.ids()), rng.randrange(1, 120)
        until(lambda: not load.is_alive() or len(server.ids()) >= at + step,
              60, "some arrive")
        daemon.kill()
        daemon = relay(**flags)
    load.join()
    cell.arrived(60)
    events = [i for topic, _, i in cell.sent if topic == cell.stock]
    all_done(cell, len(events), 90)
    assert set(server.ids()) == set(events)
    assert by_key(cell, server.first_ids()) == by_key(cell, events)
    assert cell.letters() == []


def test_postgres_restarted_immediately(relay_cell, relay, hooks, server,
                                        cell, database):
    """What was answered and not durable is sent again; nothing is lost."""
    daemon = relay(webhooks=hooks(a={"concurrency": 8}))
    relay_cell.load(400)
    until(lambda: len(server.ids()) >= 20, 60, "some arrive")
    cell.script("postgres.sh", "immediate")
    cell.script("postgres.sh", "start")
    relay_cell.db = cell.connect("owner", database)
    relay_cell.load(200)
    events = [i for topic, _, i in relay_cell.sent
              if topic == relay_cell.stock]
    all_done(relay_cell, len(events), 120)
    assert set(server.ids()) == set(events)
    assert by_key(relay_cell, server.first_ids()) == by_key(relay_cell, events)
    assert daemon.running()
    relay_cell.arrived(60)


def test_a_standby_sends_nothing_and_takes_over(relay_cell, relay, hooks,
                                                server):
    cell, flags = relay_cell, {"webhooks": hooks()}
    leader = relay(**flags)
    leader.wait_metric(1, "relay_leader")
    standby = relay(**flags)
    first = [cell.event(f"k{n % 3}") for n in range(10)]
    all_done(cell, 10)
    assert sorted(server.ids()) == sorted(first)
    assert standby.metric("relay_webhook_delivered_total") == 0
    leader.kill()
    second = [cell.event(f"k{n % 3}") for n in range(10)]
    all_done(cell, 20)
    assert by_key(cell, server.first_ids()) == by_key(cell, first + second)
    until(lambda: standby.metric("relay_webhook_delivered_total") >= 10, 60,
          "counted")


def test_sigterm_waits_for_an_answer_under_way(relay_cell, relay, hooks,
                                               server):
    cell, flags = relay_cell, {"webhooks": hooks()}
    go = threading.Event()

    def answer(request):
        go.wait(60)
        return 204
    server.answer = answer
    daemon = relay(**flags)
    row = cell.event("k1")
    until(server.ids, 60, "it is under way")
    daemon.process.terminate()
    until(lambda: "event=relay.drain" in daemon.logged(), 60, "draining")
    go.set()
    assert daemon.process.wait(40) == 0
    # written down before the end: after it nothing is sent again
    assert cell.sql("SELECT done_at IS NOT NULL FROM webhook_deliveries") == [
        (True,)]
    relay(**flags)
    later = cell.event("k1")
    all_done(cell, 2)
    assert server.ids() == [row, later]


@pytest.mark.parametrize("keys,named", [
    ({"timeout": "1h"}, ["endpoints.conf:", "timeout", "1h"]),
    ({"allow_http": None}, ["endpoints.conf:2", "allow_http = true"]),
    ({"secret_file": "/nowhere"}, ["secret_file", "/nowhere"]),
    ({"colour": "red"}, ["endpoints.conf:", "colour", "no key"]),
])
def test_a_wrong_file_ends_with_78(hooks, keys, named):
    run = subprocess.run(
        [str(OUT / "bin" / "outbox-relay"), "--check-config",
         f"--webhooks={hooks(a=keys)}"], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=60)
    assert run.returncode == 78
    for text in named:
        assert text in run.stdout


def test_the_alerts_fire_when_they_should():
    for command in (["check", "rules", RULES / "outbox-relay.rules.yml"],
                    ["test", "rules", RULES / "outbox-relay.test.yml"]):
        subprocess.run(["promtool", *command], check=True)
    text = (RULES / "outbox-relay.rules.yml").read_text()
    cases = yaml.safe_load((RULES / "outbox-relay.test.yml").read_text())
    tried = {(c["alertname"], bool(c["exp_alerts"])) for t in cases["tests"]
             for c in t["alert_rule_test"]}
    alerts = {r["alert"] for g in yaml.safe_load(text)["groups"]
              for r in g["rules"]}
    assert tried == {(a, fires) for a in alerts for fires in (True, False)}
    known = (ROOT / "docs/reference/outbox-relay.md").read_text()
    names = set(re.findall(r"\brelay_[a-z_]+", text))
    assert [n for n in sorted(names) if f"`{n}`" not in known] == []
