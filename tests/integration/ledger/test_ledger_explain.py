"""What became of a command, asked by an operator's role: `explain`."""

import json

import pytest

from harness.wait import until
from ledger_console import Console
from ledger_kit import command, rfc3339, transfer, v7


@pytest.fixture
def console(ledger):
    return Console(ledger)


def line(text, title):
    """The rest of the line with that title."""
    found = [row[13:] for row in text.splitlines()
             if row.startswith(f"  {title} ")]
    assert found, (title, text)
    return found[0]


def test_an_applied_transfer(ledger, console):
    ledger.writer()
    ledger.open_books()
    ledger.do(transfer("house", "a", "5.00"))
    cmd = transfer("a", "b", "1.20", ref="order-7", actor="ann")
    answer = ledger.do(cmd)
    text = console.explain(cmd["id"])
    assert text.startswith(f"{cmd['id']}  acme  transfer.post\n")
    read = line(text, "read")
    part, offset = ledger.rows(
        "SELECT part, src_offset FROM command_log JOIN consumer_partitions "
        "USING (stream) WHERE id = %s", cmd["id"])[0]
    assert read == (f"from {ledger.topic}/{part} at offset {offset}, "
                    "answer's key acme/a")
    assert line(text, "status").startswith("applied")
    assert line(text, "postings") == "a  5.00  -1.20  =  3.80 USD"
    assert "  b  0.00  +1.20  =  1.20 USD" in text
    assert line(text, "actor") == "ann" and line(text, "ref") == "order-7"
    assert line(text, "answer out").startswith("not yet: no relay")
    assert f'"seq":"{answer["seq"]}"' in line(text, "answer")
    assert line(text, "next").endswith("nothing: it is done")
    ledger.rows("INSERT INTO relay_progress (slot, streams, log_seqs) "
                "SELECT 'ch_relay', array_agg(stream), array_agg(next_log_seq "
                "- 1) FROM consumer_partitions RETURNING 1")
    text = console.explain(cmd["id"], "--org=acme")
    assert line(text, "answer out").startswith(
        "delivered by slot ch_relay, at or before 20")
    assert line(text, "next") == "nothing: it is done"
    row = console.explained(cmd["id"])["rows"][0]
    assert row["delivered"] and row["offset"] == offset
    assert [(p["account"], p["after"]) for p in row["postings"]] == [
        ("a", 3.8), ("b", 1.2)]
    console.explain(cmd["id"], "--org=globex", status=2)


def changes(console, cmd):
    """kind, name, figure, before, after, as explain tells them."""
    rows = console.explained(cmd["id"])["rows"][0]["changes"] or []
    told = [tuple(r[k] for k in ("kind", "name", "figure", "before", "after"))
            for r in rows]
    text = console.explain(cmd["id"])
    for kind, name, figure, before, after in told:
        assert (f"{kind} {name}  {figure}  {before or '(not in the log)'}  ->"
                f"  {after}\n") in text, text
    return told


def test_what_postings_do_not_show_before_and_after(ledger, console):
    ledger.writer()
    ledger.open_books()
    ledger.do(transfer("house", "a", "50.00"))
    shown = []
    for type_, fields in (
            ("hold.place", {"from": "a", "amount": "30", "hold": "h"}),
            ("hold.capture", {"hold": "h", "to": "house", "amount": "21.4"}),
            ("stock.receive", {"sku": "x", "qty": "5"}),
            ("stock.reserve", {"sku": "x", "qty": "4", "reservation": "r"}),
            ("group", {"commands": [
                {"type": "stock.adjust", "sku": "x", "delta": "-1"},
                {"type": "hold.place", "from": "a", "amount": "2"},
                {"type": "reservation.commit", "reservation": "r",
                 "qty": "3"}]}),
            ("order.place", {"order": "o", "market": "m", "side": "BUY",
                             "qty": "3"}),
            ("order.accept", {"order": "o"}),
            ("order.fill", {"order": "o", "fill": "f", "qty": "2"}),
            ("order.cancel", {"order": "o"}),
            ("order.fill", {"order": "o", "fill": "g", "qty": "1"})):
        cmd = command(type_, **fields)
        assert ledger.do(cmd)["status"] == "applied", cmd
        if type_ == "group":
            group = cmd["id"]
        shown.append(changes(console, cmd))
    assert shown == [
        [("account", "a", "held", "0.00", "30.00"),
         ("hold", "h", "state", "none", "held")],
        [("account", "a", "held", "30.00", "0.00"),
         ("hold", "h", "state", "held", "captured")],
        [("stock", "x", "on_hand", "none", "5"),
         ("stock", "x", "reserved", "none", "0")],
        [("stock", "x", "reserved", "0", "4"),
         ("reservation", "r", "state", "none", "reserved")],
        [("account", "a", "held", "0.00", "2.00"),
         ("stock", "x", "on_hand", "5", "1"),
         ("stock", "x", "reserved", "4", "0"),
         ("hold", f"{group}/1", "state", "none", "held"),
         ("reservation", "r", "state", "reserved", "committed")],
        [("order", "o", "filled", "none", "0.00000000"),
         ("order", "o", "state", "none", "placed")],
        [("order", "o", "state", "placed", "pending")],
        [("order", "o", "filled", "0.00000000", "2.00000000"),
         ("order", "o", "state", "placed or pending or lost", "partial")],
        [("order", "o", "state", "partial or lost", "cancelled")],
        [("order", "o", "filled", "2.00000000", "3.00000000"),
         ("order", "o", "state", "partial or lost or cancelled", "filled")]]


def test_markets_and_positions_before_and_after(ledger, console):
    ledger.writer()
    ledger.open_books()
    ledger.do(transfer("house", "a", "50.00"))

    def told(type_, **fields):
        cmd = command(type_, **fields)
        assert ledger.do(cmd)["status"] == "applied", cmd
        return changes(console, cmd)

    def trade(tx, market, position, lock, **more):
        return told("trade.record", account="a", market=market, side="BUY",
                    outcome="Yes", tx=tx, position=position, lock=lock, **more)
    assert trade("t1", "m", "1", "3") == [
        ("account", "a", "held", None, "3.00"),
        ("market", "m", "state", "none", "open"),
        ("position", "a/m/Yes", "lock", "none", "3.00"),
        ("position", "a/m/Yes", "qty", "none", "1.00000000")]
    # the skim takes of the other position's lock too
    assert trade("t2", "n", "2", "3", skim={"amount": "2", "to": "house"}) == [
        ("account", "a", "held", None, "5.88"),
        ("market", "n", "state", "none", "open"),
        ("position", "a/m/Yes", "lock", None, "2.88"),
        ("position", "a/n/Yes", "lock", "none", "3.00"),
        ("position", "a/n/Yes", "qty", "none", "2.00000000")]
    assert trade("t3", "m", "4", "1") == [
        ("account", "a", "held", None, "4.00"),
        ("position", "a/m/Yes", "lock", None, "1.00"),
        ("position", "a/m/Yes", "qty", None, "4.00000000")]
    assert told("pool.deploy", market="m", address="0x1") == [
        ("market", "m", "address", "none", "0x1")]
    assert ("market", "m", "state", "open", "settling") in told(
        "market.settle", market="m", payouts={"Yes": "1"}, **{"from": "house"})
    until(lambda: ledger.value("SELECT state FROM ledger_markets WHERE "
                               "name = 'm'") == "settled", 30, "settled")
    paid = {"id": ledger.value("SELECT result::json ->> 'id' FROM command_log "
                               "WHERE type = 'market.pay'")}
    assert [c for c in changes(console, paid) if c[0] != "account"] == [
        ("market", "m", "state", "settling", "settled"),
        ("position", "a/m/Yes", "lock", None, "0.00"),
        ("position", "a/m/Yes", "paid", "none", "4.00")]


def test_a_refused_one_and_its_repetitions(ledger, console):
    ledger.writer()
    ledger.open_books()
    cmd = transfer("a", "b", "1.00")
    ledger.do(cmd)
    ledger.send(cmd, cmd, {**cmd, "moves": [
        {"from": "a", "to": "b", "amount": "2.00"}]})
    until(lambda: len(ledger.answers_of(cmd["id"])) == 4, 60, "answers")
    text = console.explain(cmd["id"])
    assert line(text, "status").startswith(
        "insufficient_funds: refused by the books; the id is taken")
    assert "available" in line(text, "why")
    assert "needs a new one" in line(text, "next")
    again = text[text.index("further answers to this id"):]
    # however the id is spelled
    assert console.explain(cmd["id"].upper()) == text
    assert again.count("  duplicate  read from ") == 2, text
    assert again.count("  key_reused  read from ") == 1, text
    assert "with another payload" in again


def test_stock_event_and_rate_limit(ledger, console):
    ledger.writer()
    ledger.open_books()
    ledger.rows("SELECT set_rate_rule('few', NULL, 'actor', "
                "'{stock.reserve}', 1, '1 hour', 1, 'me', 'a test')")
    cmds = [command("stock.reserve", sku="s", qty="2", actor="bob")
            for _ in range(2)]
    statuses = [ledger.do(cmd)["status"] for cmd in cmds]
    assert statuses == ["applied", "rate_limited"]
    text = console.explain(cmds[0]["id"])
    assert line(text, "events").startswith(
        "stock.reserved of stock acme/s, seq ")
    assert line(text, "events").endswith("not delivered yet")
    assert line(text, "rate").startswith("few: limit 1, remaining 0, reset ")
    assert ("few (at most 1 in 3600 s for each actor): now 1 counted, this "
            "command is still among them") in text
    text = console.explain(cmds[1]["id"])
    assert line(text, "status").endswith("does not take the id")
    assert "the id is still free" in line(text, "next")


def test_unreadable_timer_and_unknown_ids(ledger, console):
    ledger.writer()
    ledger.open_books()
    bad = command("transfer.post", moves="all")
    ledger.send(("acme/a", json.dumps(bad)))
    until(lambda: ledger.answers_of(bad["id"]), 60, "an answer")
    text = console.explain(bad["id"])
    assert line(text, "status").startswith("invalid")
    letter = line(text, "rejected").split()[1].rstrip(",")
    assert line(text, "value").startswith('{"id": "' + bad["id"])
    assert f"dlq show {letter}" in text
    by_letter = console.explain(letter)
    assert line(by_letter, "rejected") == line(text, "rejected")
    assert f"dlq replay {letter}" in by_letter

    soon = command("stock.reserve", sku="s", qty="1", expires_at=rfc3339(8))
    assert ledger.do(soon)["status"] == "applied"
    timer = until(lambda: ledger.rows(
        "SELECT id::text FROM command_log WHERE source = 'timer'"), 60,
        "the expiry")[0][0]
    text = console.explain(timer)
    assert line(text, "read") == "not from Kafka: decided by a timer"
    assert "reservation.expire" in text.splitlines()[0]
    assert line(text, "events").startswith("reservation.expired of stock")

    text = console.explain(v7(), status=2)
    assert "not seen by this ledger" in text.splitlines()[0]
    assert f"has read {ledger.topic}/0 up to offset" in text
    assert "is the record in Kafka" in line(text, "next")
    old = v7(1600000000000)
    assert line(console.explain(old, status=2), "next").startswith(
        "key_expired: ids of 2020-09-13 are not kept any more")
    assert line(console.explain("nonsense", status=2), "id").startswith(
        "no UUIDv7 and no ULID")
    assert console.explained(v7(), status=2)["rows"] is None


def test_the_manual_needs_no_configuration(ledger, console):
    console.url = ""
    assert console.ok("explain", "--help").startswith(
        "usage: ledger-writer --database_url=URL explain")
    console = Console(ledger)
    ran = console.run("explain")
    assert ran.returncode == 64 and "explain which id?" in ran.stderr
    assert console.run("explain", "x", "--oops").returncode == 64
    assert console.run("explain", "x", "--within=soon").returncode == 64
