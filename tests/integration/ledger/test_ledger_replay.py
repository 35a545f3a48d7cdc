"""The books rebuilt from log and snapshot: equal after a load of every kind by
two writers, and what was changed by hand is found and named."""

import json
import os
import random
import re

import pytest

from harness.wait import until
from ledger_console import Console
from ledger_kit import command, transfer
from ledger_random_every import Every

SEED = int(os.environ.get("SEED") or random.randrange(1 << 32))
COMMANDS = int(os.environ.get("COMMANDS") or 6000)


@pytest.fixture
def console(ledger, cell, database):
    """ch_operator, who may make schemas here and write to no table of ch."""
    db = cell.connect("superuser", database)
    with db.cursor() as cur:
        cur.execute(f"GRANT CREATE ON DATABASE {database} TO ch_operator")
    db.close()
    return Console(ledger)


class Feed:
    """A load of every kind, in pieces."""

    def __init__(self, ledger):
        print(f"SEED={SEED} COMMANDS={COMMANDS}")
        self.ledger, self.total = ledger, 0
        self.load = Every(SEED)
        for step in self.load.setup():
            self.send(step)

    def send(self, records, wait=True):
        self.ledger.send(*records)
        self.total += len(records)
        if wait:
            self.ledger.wait_consumed(self.total, 180)

    def pieces(self, count, pieces=10):
        for i in range(pieces):
            self.send(self.load.records(count // pieces), i == pieces - 1)


def rule(ledger, name, scope, types, most, window, shares=1):
    ledger.rows("SELECT set_rate_rule(%s, NULL, %s, %s, %s, %s, %s, 'me', "
                "'a test')", name, scope, types, most, window, shares)


def decided(ledger):
    """The time of the last decision, as --until takes it."""
    return ledger.value("SELECT to_char(max(decided_at) AT TIME ZONE 'UTC', "
                        "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM command_log")


def differing(text):
    """{table: rows that differ}, of those that have any."""
    rows = re.findall(r"^  (\w[\w ]*?) +(\d+) +(\d+) +(\d+)$", text, re.M)
    assert len(rows) >= 14, text
    return {table: int(n) for table, _, _, n in rows if int(n) > 0}


def test_every_kind_by_two_writers(ledger, console, cell):
    ledger.writer(batch_records=300)
    ledger.writer(batch_records=40)
    feed = Feed(ledger)
    rule(ledger, "few", "actor", ["transfer.post", "order.place"], 400, "3 s")
    rule(ledger, "share", "org", ["hold.place", "group"], 300, "2 s", 3)
    feed.pieces(COMMANDS // 3)
    rule(ledger, "few", "actor", ["transfer.post"], 300, "2 s")
    rule(ledger, "share", "org", ["hold.place", "group"], 200, "2 s", 2)
    feed.pieces(COMMANDS // 3, 5)
    then = decided(ledger)
    # the snapshot is taken while both writers write
    feed.send(feed.load.records(COMMANDS // 6), False)
    snapshot = ledger.rows("SELECT snapshot_id FROM take_snapshot('me', "
                           "'a test') LIMIT 1")[0][0]
    ledger.rows("SELECT drop_rate_rule('few', 'me', 'enough')")
    feed.pieces(COMMANDS // 12, 3)
    between = decided(ledger)
    feed.pieces(COMMANDS // 12, 2)
    print(ledger.rows("SELECT status, count(*) FROM answers GROUP BY 1"))
    # holds and reservations run out meanwhile, markets are paid
    whole = console.ok("replay", "--into=whole")
    print(whole)
    assert "equal: " in whole and differing(whole) == {}
    assert re.search(r" ([1-9]\d*) applied and [1-9]\d* refused decided "
                     r"again, 0 differ; [1-9]\d* that rest on", whole)
    rest = console.ok("replay", "--into=rest", f"--from={snapshot}")
    print(rest)
    assert f"from snapshot {snapshot} " in rest and differing(rest) == {}
    past = console.ok("replay", "--into=past", f"--until={then}")
    print(past)
    assert differing(past) == {} and "balances then" in past
    late = console.ok("replay", "--into=later", f"--from={snapshot}",
                      f"--until={between}")
    print(late)
    assert f"from snapshot {snapshot} " in late and differing(late) == {}
    assert "balances then" in late
    # writers at work meanwhile do not matter: all is compared at one cut
    feed.send(feed.load.records(COMMANDS // 3), False)
    live = console.ok("replay", "--into=live", f"--from={snapshot}")
    assert "equal: " in live and differing(live) == {}
    ledger.wait_consumed(feed.total, 180)
    # psql says so too, and what is behind the replay's views cannot be written
    until(lambda: ledger.value(
        "SELECT (SELECT count(*) FROM reservations WHERE state = 'reserved' "
        "AND expires_at IS NOT NULL) + (SELECT count(*) FROM holds WHERE "
        "state = 'held' AND expires_at IS NOT NULL) + (SELECT count(*) FROM "
        "ledger_markets WHERE state = 'settling')") == 0, 60,
        "everything settled that can be")
    assert "equal: " in console.ok("replay", "--into=quiet")
    db = cell.connect("superuser", ledger.database)
    with db.cursor() as cur:
        cur.execute("TABLE balances EXCEPT TABLE quiet.balances")
        assert cur.rowcount == 0
        cur.execute("UPDATE quiet.source_balances SET balance = 0")
        assert cur.rowcount == 0
    db.close()
    # what cannot be asked
    assert "not empty" in console.run("replay", "--into=whole").stderr
    late = console.run("replay", "--into=late", f"--from={snapshot}",
                       "--until=2026-01-01T00:00:00Z")
    assert late.returncode == 2 and "is later than --until" in late.stderr
    assert console.run("replay", "--into=ch").returncode == 64
    none = console.run("replay", "--into=none", "--from=99")
    assert none.returncode == 2 and "no snapshot 99" in none.stderr
    assert f"the newest: {snapshot} of " in none.stderr
    for name in ("late", "none"):  # nothing of them is left
        assert ledger.value("SELECT to_regnamespace(%s)", name) is None


BOOKS_THEN = """
    SELECT a.name, b.shard, b.balance, b.held, b.floor, b.closed, b.version
    FROM {0}.balances b JOIN {0}.accounts a USING (org_id, account_id)
    UNION ALL SELECT name, on_hand, reserved, NULL, NULL, NULL, s.version
    FROM {0}.stock s JOIN {0}.skus USING (org_id, sku_id)
    UNION ALL SELECT name || ' ' || state, amount, captured, NULL, NULL,
        NULL, version FROM {0}.holds
    UNION ALL SELECT name || ' ' || state, qty, filled, NULL, NULL,
        NULL, version FROM {0}.orders ORDER BY 1, 2"""


def test_from_a_snapshot_until_a_time(ledger, console, cell):
    """The books as they were, with each moment between two commands: by a
    snapshot before it, its own last decision and the snapshot's included."""
    ledger.writer()
    ledger.open_books()
    reader = cell.connect("superuser", ledger.database)

    def books(schema):
        with reader.cursor() as cur:
            cur.execute(BOOKS_THEN.format(schema))
            return cur.fetchall()
    moments = []

    def do(*cmds):
        for cmd in cmds:
            answer = ledger.do(cmd)
            assert answer["status"] == "applied", answer
            moments.append((answer["decided_at"], books("ch")))
    do(command("account.open", account="fees", asset="USD", floor=None,
               shards=2),
       transfer("house", "a", "70.00"),
       command("hold.place", hold="h", amount="9.00", **{"from": "a"}),
       command("order.place", order="o", market="m", side="BUY", qty="5"))
    (snapshot,), *_ = ledger.rows("SELECT snapshot_id FROM take_snapshot("
                                  "'me', 'a test')")
    begun = len(moments) - 1
    do(transfer("a", "fees", "1.25"),
       command("hold.capture", hold="h", to="house", amount="4.00"),
       command("order.fill", order="o", fill="f", qty="5"),
       command("stock.adjust", sku="s", delta="-3"),
       command("account.open", account="c", asset="USD", floor="-5"),
       transfer("c", "a", "2.00"),
       transfer("a", "c", "2.00"),
       command("account.close", account="c"))
    assert len({str(m[1]) for m in moments}) == len(moments)
    for i, (at, then) in enumerate(moments[begun:]):
        text = console.ok("replay", f"--into=then{i}", f"--from={snapshot}",
                          f"--until={at}")
        assert f"until {at}" in text and differing(text) == {}, text
        assert "equal: what the log says is what the books say of that" in text
        assert books(f"then{i}") == then, at
    ran = console.run("replay", "--into=early", f"--from={snapshot}",
                      f"--until={moments[begun - 1][0]}")
    assert ran.returncode == 2 and "is later than --until" in ran.stderr
    # what a hand changed of that time is found, and what is of later is not
    damaged(cell, ledger, "UPDATE stock SET on_hand = on_hand + 1",
            "UPDATE postings SET amount = amount - 1 WHERE amount = -125")
    at = moments[begun + 2][0]
    text = console.ok("replay", "--into=wrong", f"--from={snapshot}",
                      f"--until={at}", status=2)
    assert differing(text) == {"postings": 1}, text
    reader.close()


def damaged(cell, ledger, *statements):
    db = cell.connect("superuser", ledger.database)
    with db.cursor() as cur:
        for statement in statements:
            cur.execute(statement)
            assert cur.rowcount == 1, statement
    db.close()


def test_what_was_changed_by_hand_is_found(ledger, console, cell):
    ledger.writer()
    ledger.open_books()
    applied = transfer("house", "a", "5.00")
    refused = transfer("a", "b", "700.00")
    hold = command("hold.place", hold="h", amount="1.00", **{"from": "a"})
    limit = command("account.limit", account="b", floor="-1")
    for cmd in (applied, refused, hold, limit):
        ledger.do(cmd)
    assert "equal: " in console.ok("replay", "--into=good")

    damaged(cell, ledger, "UPDATE balances SET balance = balance + 7 WHERE "
            "account_id = (SELECT account_id FROM accounts WHERE name = 'a')",
            "UPDATE holds SET state = 'voided'")
    text = console.ok("replay", "--into=one", status=2)
    assert differing(text) == {"balances": 1, "holds": 1}
    assert "acme a: balance is 507, replayed 500" in text
    assert "acme h: state is voided, replayed held" in text
    damaged(cell, ledger, "UPDATE balances SET balance = balance - 7 WHERE "
            "account_id = (SELECT account_id FROM accounts WHERE name = 'a')",
            "UPDATE holds SET state = 'held'")

    for name, cmd, old, new in (("two", applied, '"5.00"', '"4.00"'),
                                ("three", refused, "5.00 USD", "6.00 USD")):
        change = ("UPDATE command_log SET result = replace(result, '{}', "
                  "'{}') WHERE id = '" + cmd["id"] + "'")
        damaged(cell, ledger, change.format(old, new))
        text = console.ok("replay", f"--into={name}", status=2)
        assert differing(text) == {}
        assert f"answer of {cmd['id']} ({cmd['type']}, " in text
        assert re.search(f"stored .*{new}.*\n.*replayed .*{old}", text), text
        damaged(cell, ledger, change.format(new, old))

    damaged(cell, ledger, "UPDATE command_log SET changes = replace(changes, "
            "'0.00', '2.00') WHERE id = '" + limit["id"] + "'")
    text = console.ok("replay", "--into=before", status=2)
    assert f"answer of {limit['id']} (account.limit, " in text
    assert re.search(r'other changes\n.*stored .*"2\.00","-1\.00"', text), text
    assert re.search(r'replayed .*"0\.00","-1\.00"', text), text
    damaged(cell, ledger, "UPDATE command_log SET changes = replace(changes, "
            "'2.00', '0.00') WHERE id = '" + limit["id"] + "'")

    # a command that is not there any more, and a row that nobody asked for
    damaged(cell, ledger, f"DELETE FROM command_log WHERE id = "
            f"'{applied['id']}'", "INSERT INTO skus VALUES (1, 999, 'ghost')")
    text = console.ok("replay", "--into=four", status=2)
    assert differing(text) == {"balances": 2, "postings": 2, "skus": 1,
                               "holds": 1}
    assert "acme ghost: only in the books" in text
    assert "NOT EQUAL" in text


def test_who_may_make_the_schema(ledger, cell, database):
    """As docs/operator.md says: a superuser makes it, or who may is named."""
    operator = Console(ledger)
    ran = operator.run("replay", "--into=check1")
    assert ran.returncode == 1 and "permission denied" in ran.stderr
    made = "CREATE SCHEMA check1 AUTHORIZATION ch_operator"
    assert made in ran.stderr and "GRANT CREATE ON DATABASE" in ran.stderr
    db = cell.connect("superuser", database)
    with db.cursor() as cur:
        cur.execute(made)
    db.close()
    assert "equal: " in operator.ok("replay", "--into=check1")
    ledger.rows(f"DO $$BEGIN GRANT CREATE ON DATABASE {database} TO "
                "ch_operator; END$$; SELECT 1")
    assert "equal: " in operator.ok("replay", "--into=check2")
    # what could not begin leaves the schema as it was: the next try may
    operator.run("replay", "--into=check3", "--from=99")
    assert "equal: " in operator.ok("replay", "--into=check3")


def test_pages_of_a_settlement(ledger, console):
    ledger.writer()
    ledger.writer()
    ledger.open_books()
    holders = [f"h{i}" for i in range(1200)]
    ledger.send(command("account.open", account="bank", asset="USD",
                        floor=None),
                *(command("account.open", account=h, asset="USD")
                  for h in holders))
    ledger.wait_consumed(5 + 1201)
    ledger.send(*(command(
        "trade.record", account=h, market="m", side="BUY", tx=f"tx-{h}",
        outcome=("YES", "NO", "MAYBE")[i % 3], lock="0", settled=True,
        position=f"{i % 97}.{i % 89:02d}000001")
        for i, h in enumerate(holders)))
    ledger.wait_consumed(5 + 1201 + 1200)
    # who was paid first stands in the numbers of two writers' pools
    assert ledger.do(command(
        "market.settle", market="m", payouts={"YES": "0.333", "NO": "1.7"},
        **{"from": "bank"}))["status"] == "applied"
    until(lambda: ledger.value("SELECT state FROM ledger_markets")
          == "settled", 60, "all pages")
    text = console.ok("replay", "--into=pages")
    assert "equal: " in text and differing(text) == {}
    assert ledger.value("SELECT count(*) FROM command_log "
                        "WHERE type = 'market.pay'") == 3


def test_fills_of_a_venue_and_the_letters_that_were_replayed(
        ledger, console, kafka):
    """Of a fill's record the log has no time but its id's."""
    def report(fill, order, qty):
        return "0x1", json.dumps({
            "fill_id": fill, "org": "acme", "order": order, "qty": qty,
            "traded_at": "2026-01-01T00:00:00.5Z"})

    ledger.writer()
    early = [report("t1", "bid", "4"), report("t2", "bid", "1")]
    kafka.produce(ledger.fills, early)
    ledger.wait_consumed(2, topic=ledger.fills)
    for name, side in (("bid", "BUY"), ("ask", "SELL")):
        ledger.do(command("order.place", order=name, market="m", side=side,
                          qty="10"))
    kafka.produce(ledger.fills, [*early, report("t1", "ask", "4"),
                                 report("t1", "bid", "5")])
    ledger.wait_consumed(6, topic=ledger.fills)
    kafka.produce(ledger.fills, early)  # confirms
    ledger.wait_consumed(8, topic=ledger.fills)
    assert ledger.rows("SELECT error_class, count(*) FROM rejected "
                       "GROUP BY 1 ORDER BY 1") == [
        ("fact_mismatch", 1), ("order_not_found", 2)]
    whole = console.ok("replay", "--into=fills")
    assert "equal: " in whole and differing(whole) == {}, whole
    assert re.search(r" 7 applied and 0 refused decided again, 0 differ",
                     whole), whole

    # who asks for the answer of a parked fill is told of its letter
    id_ = ledger.value("SELECT id_text FROM answers "
                       "WHERE status = 'order_not_found' LIMIT 1")
    text = console.explain(id_)
    assert "order_not_found" in text and "dlq show" in text, text
