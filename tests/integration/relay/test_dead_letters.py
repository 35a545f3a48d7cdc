"""What cannot be delivered is parked, seen, replayed or discarded."""

import json

from harness.kafka import header
from harness.wait import until


def audits(cell, action):
    return cell.sql("SELECT subject, actor, reason, before->>'state', "
                    "after->>'state' FROM audit_events WHERE action = %s "
                    "ORDER BY event_id", (action,))


def test_oversize_event_is_parked_and_its_key_waits(relay_cell, relay):
    cell = relay_cell
    daemon = relay()
    big = cell.event("acme/a", payload=json.dumps("x" * 1100000))
    later = [cell.event("acme/a") for _ in range(3)]
    other = cell.event("acme/b")
    until(lambda: other in cell.ids(cell.stock), 60, "other keys flow")
    letters = until(cell.letters, 60, "a letter")
    assert len(letters) == 1
    assert letters[0]["kind"] == "delivery"
    assert letters[0]["error_class"] == "too_large"
    assert letters[0]["row_id"] == big
    assert letters[0]["blocks_key"] is True
    until(lambda: cell.sql("SELECT count(*) FROM outbox_retry")[0][0] == 3,
          60, "later rows wait")
    assert cell.ids(cell.stock) == [other]
    until(lambda: daemon.metric("relay_blocked_keys") == 1, 60, "gauge")

    # the slot does not wait: all of it is durable
    until(lambda: daemon.metric("relay_in_flight_rows") == 0, 60, "idle")

    # the operator gives the big one up: the rest follows, in order
    cell.dlq("discard", letters[0]["letter_id"], "--reason", "too large")
    until(lambda: len(cell.ids(cell.stock)) == 4, 60, "released")
    assert [i for i in cell.ids(cell.stock) if i != other] == later
    until(lambda: cell.sql("SELECT count(*) FROM outbox_retry")[0][0] == 0,
          60, "swept")
    after = cell.event("acme/a")
    until(lambda: after in cell.ids(cell.stock), 60, "the key is free")
    assert audits(cell, "dlq.discard") == [
        (letters[0]["letter_id"], audits(cell, "dlq.discard")[0][1],
         "too large", "pending", "discarded")]


def test_missing_topic_then_created_then_replayed(relay_cell, relay, kafka):
    cell = relay_cell
    relay()
    topic = cell.prefix + "order"
    ids = [cell.event("o1", "order"), cell.event("o1", "order"),
           cell.event("o2", "order")]
    fine = cell.event("s1")
    until(lambda: fine in cell.ids(cell.stock), 60, "others flow")
    letters = until(lambda: (x := cell.letters("--topic", topic))
                    and len(x) == 2 and x, 60, "parked")
    assert {x["error_class"] for x in letters} == {"unknown_topic"}

    run = cell.dlq("replay", "--topic", topic, "--reason", "early", status=1)
    assert "replayed" not in run
    assert len(cell.letters("--topic", topic)) == 2

    kafka.create(topic)
    dry = cell.dlq("replay", "--topic", topic, "--dry-run")
    assert dry.count("would replay") == 2
    assert cell.records(topic) == []
    assert audits(cell, "dlq.replay") == []
    cell.dlq("replay", "--topic", topic, status=64)  # no reason given

    cell.dlq("replay", "--topic", topic, "--reason", "topic made",
             "--actor", "ann")
    until(lambda: len(cell.ids(topic)) == 3, 60, "all three")
    o1 = [header(r, "id") for r in cell.records(topic) if r["key"] == "o1"]
    assert o1 == ids[:2]
    assert header(cell.records(topic)[0], "ch_replay_count") == "1"
    done = audits(cell, "dlq.replay")
    assert [(a[1], a[2], a[3], a[4]) for a in done] == [
        ("ann", "topic made", "pending", "resolved")] * 2
    cell.dlq("replay", letters[0]["letter_id"], "--reason", "again",
             status=2)
    cell.dlq("discard", letters[0]["letter_id"], "--reason", "again",
             status=2)
    later = cell.event("o1", "order")
    until(lambda: later in cell.ids(topic), 60, "the key flows")


def test_topic_with_a_smaller_limit_refuses_only_the_large_one(
        relay_cell, relay, kafka):
    """The broker's refusal kills the client; the rest is sent again."""
    cell = relay_cell
    topic = cell.prefix + "small"
    kafka.create(topic, config=["max.message.bytes=20000"])
    relay(**{"kafka.batch.size": "15000"})
    ids = []
    for n in range(60):
        size = 60000 if n == 30 else 10
        noise = "".join(chr(33 + (i * i * 7 + i) % 90) for i in range(97))
        body = json.dumps(noise * (size // 97 + 1)) if size > 10 else "1"
        if size > 10:
            import random
            body = json.dumps("".join(chr(random.Random(3 + i).randrange(
                48, 122)) for i in range(size)))
        ids.append(cell.event(f"k{n % 5}", "small", payload=body))
    letters = until(cell.letters, 60, "the large one is parked")
    assert [x["row_id"] for x in letters] == [ids[30]]
    assert letters[0]["error_class"] == "too_large"
    free = [i for n, i in enumerate(ids) if n % 5 != 0 or n < 30]
    until(lambda: set(free) <= set(cell.ids(topic)), 60, "the others")
    cell.dlq("discard", letters[0]["letter_id"], "--reason", "x")
    want = [i for i in ids if i != ids[30]]
    until(lambda: set(want) <= set(cell.ids(topic)), 60, "all others")
    for key in range(5):
        seen = []
        for r in cell.records(topic):
            i = header(r, "id")
            if r["key"] == f"k{key}" and i not in seen:
                seen.append(i)
        assert seen == [i for n, i in enumerate(ids)
                        if n % 5 == key and n != 30]


def test_skip_policy_lets_the_key_go_on(relay_cell, relay):
    cell = relay_cell
    relay(outbox_policy="skip")
    cell.event("acme/a", payload=json.dumps("x" * 1100000))
    later = cell.event("acme/a")
    until(lambda: later in cell.ids(cell.stock), 60, "later rows flow")
    letters = until(cell.letters, 60, "the letter")
    assert letters[0]["blocks_key"] is False


def test_block_outlives_a_restart(relay_cell, relay):
    cell = relay_cell
    first = relay()
    cell.event("acme/a", payload=json.dumps("x" * 1100000))
    letters = until(cell.letters, 60, "parked")
    first.kill()
    waiting = cell.event("acme/a")
    relay()
    until(lambda: cell.sql("SELECT count(*) FROM outbox_retry")[0][0] == 1,
          60, "still blocked")
    assert waiting not in cell.ids(cell.stock)
    assert len(cell.letters()) == 1  # not parked twice
    cell.dlq("discard", letters[0]["letter_id"], "--reason", "r")
    until(lambda: cell.ids(cell.stock) == [waiting], 60, "released")


def test_rejected_record_is_listed_and_replayed_as_it_was(relay_cell):
    """Without any relay: the command line needs PostgreSQL and Kafka only."""
    cell = relay_cell
    letter = cell.rejected(part=2, key=b"acme/u1", value=b"\x00{broken",
                           headers=[(b"h", b"v"), (b"n", None)])
    shown = cell.dlq("show", letter)
    assert "not JSON" in shown and "\\x00{broken" in shown
    cell.dlq("replay", letter, "--reason", "mended", "--actor", "bob")
    sent = cell.records(cell.commands)
    assert len(sent) == 1
    assert sent[0]["partition"] == 2
    assert sent[0]["key"] == "acme/u1"
    assert sent[0]["payload"] == "\x00{broken"
    assert sent[0]["headers"] == ["h", "v", "n", None, "ch_replay_count",
                                  "1", "ch_letter_id", letter]
    assert audits(cell, "dlq.replay") == [
        (letter, "bob", "mended", "pending", "replayed")]
    rows = cell.sql("SELECT replay_count, topic, part, log_offset, actor "
                    "FROM letter_replays")
    assert rows == [(1, cell.commands, 2, 0, "bob")]
    assert cell.letters() == []
    assert cell.letters("--state", "replayed")[0]["replay_count"] == 1


def test_loop_guard_and_old_ids(relay_cell):
    cell = relay_cell
    looped = cell.rejected(headers=[(b"ch_replay_count", b"5")])
    cell.dlq("replay", looped, "--reason", "r", status=2)
    cell.dlq("replay", looped, "--reason", "r", "--max-replays", "6")
    old = json.dumps({"id": "01890a5d-ac96-774b-bcce-b302099a8057",
                      "org": "acme", "type": "x"}).encode()
    late = cell.rejected(value=old)
    cell.dlq("replay", late, "--reason", "r", status=2)
    assert cell.records(cell.commands)[0]["headers"][1] == "6"
    assert len(cell.records(cell.commands)) == 1


def test_a_list_says_what_its_limit_leaves_out(relay_cell):
    cell = relay_cell
    letters = [cell.rejected() for _ in range(103)]
    ran = cell.run_dlq("list")
    assert len(ran.stdout.splitlines()) == 100
    assert ran.stderr == ("dlq: 100 of 103 letters that fit; "
                          "3 more with --limit 103\n")
    ran = cell.run_dlq("list", "--limit", "103", "--json")
    assert len(ran.stdout.splitlines()) == 103
    assert ran.stderr == ""
    # what is named is shown, whatever a list's limit
    ran = cell.run_dlq("show", *letters)
    assert ran.returncode == 0
    assert ran.stdout.count("letter      ") == 103
    ran = cell.run_dlq("discard", "--topic", cell.commands, "--limit", "2",
                       "--reason", "r")
    assert ran.stderr == ("dlq: 2 of 103 letters that fit; "
                          "101 more with --limit 103\n")
    assert cell.run_dlq("list").stderr == (
        "dlq: 100 of 101 letters that fit; 1 more with --limit 101\n")


def test_list_filters(relay_cell):
    cell = relay_cell
    a = cell.rejected(key=b"one")
    b = cell.rejected(key=b"two")
    assert [x["letter_id"] for x in cell.letters("--key", "two")] == [b]
    assert [x["letter_id"] for x in cell.letters("--limit", "1")] == [a]
    assert cell.letters("--class", "other") == []
    assert len(cell.letters("--since", "1h", "--topic", cell.commands)) == 2
    assert cell.letters("--since", "2999-01-01T00:00:00Z") == []
    cell.dlq("discard", "--reason", "r", status=64)  # neither id nor filter
    cell.dlq("discard", "--topic", "nothing.here", "--reason", "r", status=2)
    cell.dlq("replay", "not-an-id", "--reason", "r", status=64)


def test_only_rows_that_can_be_read_again_are_remembered(relay_cell, relay):
    """A decided letter whose row's day went from its table is not; a pending
    one is, however old."""
    cell = relay_cell
    cell.sql("""
        WITH made AS (
            INSERT INTO dead_letters (letter_id, source, row_id, topic,
                error_class, reason, attempts, blocks_key)
            SELECT (lpad(to_hex((extract(epoch FROM now() - days * interval
                '1 day') * 1000)::int8), 12, '0') || '7'
                || substr(md5(source || days || state), 1, 3) || '8'
                || substr(md5(source || days || state), 4, 15))::uuid,
                source, source || days || state, state, 'topic', 'r', 3, false
            FROM (VALUES ('outbox'), ('answers'), ('public.theirs')) a (source),
                (VALUES (0), (10)) b (days),
                (VALUES ('pending'), ('discarded')) c (state)
            RETURNING letter_id, topic AS state)
        INSERT INTO letter_states (letter_id, state) SELECT * FROM made
        WHERE state <> 'pending'""")
    daemon = relay()
    # not the two of old days of the ledger's own tables
    daemon.wait_metric(12 - 2, "relay_remembered_rows")
    assert daemon.stop() == 0

    # all days are there: everything may be read again
    cell.sql("UPDATE retention SET lowest_day = lowest_day - 20")
    relay().wait_metric(12, "relay_remembered_rows")
