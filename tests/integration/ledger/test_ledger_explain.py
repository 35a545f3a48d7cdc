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
    stream, seq = ledger.rows("SELECT stream, log_seq FROM command_log "
                              "WHERE id = %s", cmd["id"])[0]
    ledger.rows("INSERT INTO delivery_marks SELECT 'ch_relay', %s, %s + n, "
                "'2031-01-01Z'::timestamptz + n * interval '1 s' FROM "
                "generate_series(-1, 2) AS n RETURNING 1", stream, seq)
    assert line(console.explain(cmd["id"]), "answer out").startswith(
        "delivered by slot ch_relay, between 2030-12-31T23:59:59+00:00 and "
        "2031-01-01T00:00:00+00:00 (its progress: row ")
    # whatever the relay reports later
    ledger.rows("UPDATE relay_progress SET updated_at = '2032-01-01Z' "
                "RETURNING 1")
    row = console.explained(cmd["id"])["rows"][0]
    assert [(s["delivered_after"], s["delivered_by"]) for s in row["slots"]
            ] == [("2030-12-31T23:59:59+00:00", "2031-01-01T00:00:00+00:00")]
    assert row["delivered"] and row["offset"] == offset
    assert [(p["account"], p["after"]) for p in row["postings"]] == [
        ("a", 3.8), ("b", 1.2)]
    console.explain(cmd["id"], "--org=globex", status=2)


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
