"""What bounds webhooks: refusals for ever, many bad keys, large events, what is
remembered."""

import json

import pytest

from harness.hook_server import all_done
from harness.wait import until


@pytest.mark.parametrize("status", [429, 503])
def test_a_quota_for_ever_ends_in_a_dead_letter(relay_cell, relay, hooks,
                                                server, status):
    """quota_max after the first one, and not by attempts."""
    cell = relay_cell
    server.answer = lambda r: (status, {"Retry-After": "1"}, b"too much")
    quota = {"attempts": 1, "quota_max": "1h"}
    daemon = relay(webhooks=hooks(a=quota))
    bad = cell.event("k1")
    until(lambda: cell.sql("SELECT quota_since IS NOT NULL AND attempts = 0 "
                           "FROM webhook_deliveries") == [(True,)], 60,
          "the first one is written down")
    until(lambda: len(server.ids()) >= 3, 60, "asked again and again")
    assert cell.letters() == []
    assert daemon.stop() == 0
    # the time runs on without the relay
    cell.sql("UPDATE webhook_deliveries SET quota_since = quota_since "
             "- interval '1 h'")
    relay(webhooks=hooks(a=quota))
    letter = until(cell.letters, 60, "the letter")[0]
    assert (letter["row_id"], letter["error_class"], letter["blocks_key"]) == (
        bad, f"http_{status}", True)
    assert "too much" in letter["reason"]

    # put back, its time begins anew; then it is taken
    cell.dlq("replay", letter["letter_id"], "--reason", "they have raised it")
    until(lambda: cell.sql(
        "SELECT done_at IS NULL AND quota_since IS NOT NULL "
        "AND quota_since > now() - interval '30 min' FROM webhook_deliveries")
        == [(True,)], 60, "refused anew")
    server.answer = lambda r: 204
    all_done(cell, 1)


def test_many_bad_keys_hold_no_other(relay_cell, relay, hooks, server):
    """They are older than all that comes, and each of them becomes a letter."""
    cell, bad = relay_cell, set()
    server.answer = lambda r: 503 if r.id in bad else 204
    daemon = relay(webhooks=hooks(a={"attempts": 2}))
    with server.lock:
        bad.update(cell.event(f"bad{n}") for n in range(80))
    # a gauge would forget it when the last of them is a letter
    until(lambda: "event=webhook.paused endpoint=a" in daemon.logged(), 60,
          "the breaker is open")
    others = []

    def letters():
        # others come all the while
        others.append(cell.event(f"k{len(others)}"))
        return cell.letters("--limit", "200")
    until(lambda: letters() and set(others) & set(server.ids()), 120,
          "another key is taken, and a letter is there", every=0.5)
    until(lambda: len(letters()) == len(bad), 180, "the letters", every=0.5)
    assert {x["row_id"] for x in letters()} == bad
    until(lambda: set(others) <= set(server.ids()), 60, "the others")


def test_a_large_event_for_many_endpoints(relay_cell, relay, hooks, server):
    """Its rows go to PostgreSQL a few at a time, in memory that is bounded."""
    cell, names = relay_cell, [f"e{n:02}" for n in range(24)]
    large = json.dumps({"v": "x" * 6_000_000})
    relay(webhooks=hooks(**{name: {
        "type": "happened", "concurrency": 1, "timeout": "60s"}
        for name in names}))
    first = cell.event("k1")
    ids = [first, cell.event("k1", payload=large), cell.event("k1")]
    all_done(cell, 3 * len(names), 120)
    for name in names:
        assert list(dict.fromkeys(
            r.id for r in server.seen() if r.path == f"/{name}")) == ids
    sizes = {len(r.body) for r in server.seen() if r.id == ids[1]}
    assert min(sizes) > 6_000_000


def test_what_is_older_than_remembered_is_forgotten(relay_cell, relay, hooks,
                                                    server):
    """An event read again is delivered again when its row was forgotten, and
    only then; letters and what is pending are not forgotten."""
    cell, gone = relay_cell, set()
    server.answer = lambda r: 410 if r.id in gone else 204
    flags = {"webhooks": hooks(a={"policy": "skip"}),
             "webhooks_remember": "1h"}
    daemon = relay(**flags)
    with server.lock:
        dead = cell.event("k0")
        gone.add(dead)
    old, young = cell.event("k1"), cell.event("k2")
    all_done(cell, 3)
    cell.arrived()
    letter = cell.letters()[0]["letter_id"]
    assert daemon.stop() == 0
    cell.sql("UPDATE webhook_deliveries SET done_at = now() - interval "
             "'61 min' WHERE event_id = ANY (%s)", ([old, dead],))
    cell.sql("UPDATE webhook_deliveries SET done_at = now() - interval "
             "'50 min' WHERE event_id = %s", (young,))
    daemon = relay(**flags)
    until(lambda: cell.sql("SELECT count(*) FROM webhook_deliveries "
                           "WHERE event_id = %s", (old,)) == [(0,)], 60,
          "it is forgotten")
    assert set(cell.sql("SELECT event_id, body IS NULL "
                        "FROM webhook_deliveries")) == {
        (young, True), (dead, True)}
    assert daemon.stop() == 0

    # read again from the beginning
    cell.sql("UPDATE relay_progress SET lsn = NULL, snapshot = NULL")
    relay(**flags)
    last = cell.event("k3")
    all_done(cell, 4)
    assert server.ids() == [dead, old, young, old, last] or \
        sorted(server.ids()) == sorted([dead, old, young, old, last])
    # the letter can still be put back
    gone.clear()
    cell.dlq("replay", letter, "--reason", "it is back")
    all_done(cell, 4)
    assert server.ids().count(dead) == 2


def test_what_was_discarded_is_forgotten_too(relay_cell, relay, hooks, server):
    cell = relay_cell
    server.answer = lambda r: 410
    flags = {"webhooks": hooks(a={"policy": "skip"}),
             "webhooks_remember": "1h"}
    daemon = relay(**flags)
    pending, junk = cell.event("k0"), cell.event("k1")
    all_done(cell, 2)
    letters = until(lambda: (x := cell.letters()) and len(x) == 2 and x, 60,
                    "the letters")
    letter = next(x for x in letters if x["row_id"] == junk)
    cell.dlq("discard", letter["letter_id"], "--reason", "junk")
    assert daemon.stop() == 0
    cell.sql("UPDATE webhook_deliveries SET done_at = now() - interval "
             "'61 min'")
    relay(**flags)
    until(lambda: cell.sql("SELECT event_id FROM webhook_deliveries") ==
          [(pending,)], 60, "the discarded one is forgotten")
