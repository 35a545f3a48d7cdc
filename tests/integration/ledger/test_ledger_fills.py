"""market.fills: a venue's fills move our orders, each once."""

import json

from ledger_kit import command, rfc3339


def fill(name, order, qty, **fields):
    body = {"fill_id": name, "org": "acme", "order": order, "qty": qty,
            "price": "0.57", "traded_at": rfc3339(-5),
            "condition_id": "0x1", "source": "venue", **fields}
    return body["condition_id"], json.dumps(body)


def order_of(ledger, name):
    return ledger.rows("SELECT state, qty, filled FROM orders WHERE name = %s",
                       name)[0]


def test_a_fill_counts_once_however_often_it_is_reported(ledger, kafka):
    ledger.writer()
    assert ledger.do(command("order.place", order="o1", market="m",
                             side="BUY", qty="10"))["status"] == "applied"
    first = fill("f1", "o1", "4")
    again = fill("f1", "o1", "4", traded_at=json.loads(first[1])["traded_at"],
                 source="backfill")
    written = fill("f1", "o1", "4.00", traded_at=json.loads(again[1])[
        "traded_at"])
    priced = fill("f1", "o1", "4", price="0.5700", traded_at=json.loads(
        first[1])["traded_at"])
    kafka.produce(ledger.fills, [first, again, written, priced,
                                 fill("f2", "o1", "6.00")])
    ledger.wait_consumed(5, topic=ledger.fills)
    assert order_of(ledger, "o1") == ("filled", 10 * 10**8, 10 * 10**8)
    assert ledger.value("SELECT count(*) FROM order_fills") == 2
    rows = ledger.rows("SELECT status, convert_from(record_key, 'UTF8') "
                       "FROM command_log WHERE type = 'order.fill'")
    assert rows == [("applied", "acme/o1")] * 2
    assert ledger.rows("SELECT status FROM answers") == [("duplicate",)] * 3
    assert ledger.value("SELECT price FROM order_fills WHERE fill = 'f1'"
                        ) == "0.57"
    assert ledger.rows("SELECT type FROM outbox WHERE aggregatetype = 'order' "
                       "ORDER BY seq") == [
        ("order.placed",), ("order.partially_filled",), ("order.filled",)]
    # the same fill by a producer's command is known, too
    answer = ledger.do(command("order.fill", order="o1", fill="f1", qty="4"))
    assert answer["status"] == "applied" and answer["confirmed"]


def test_fills_that_cannot_be_read_or_do_not_fit(ledger, kafka):
    ledger.writer()
    ledger.do(command("order.place", order="o1", market="m", side="SELL",
                      qty="1"))
    bad = [("k", "{"), fill("f", "o1", 1), fill("f", "o1", "-1"),
           fill("f", "o1", "1", traded_at="today"), fill("", "o1", "1"),
           fill("f", "o1", "1", org="a/b")]
    kafka.produce(ledger.fills, bad + [fill("f3", "nobody", "1"),
                                       fill("f4", "o1", "2")])
    ledger.wait_consumed(len(bad) + 2, topic=ledger.fills)
    rows = ledger.rows("SELECT reason FROM rejected WHERE topic = %s",
                       ledger.fills)
    assert len(rows) == len(bad)
    assert sorted(r[0] for r in ledger.rows(
        "SELECT status FROM command_log WHERE type = 'order.fill'")) == [
            "illegal_order_move", "order_not_found"]
    assert order_of(ledger, "o1")[0] == "placed"
    ledger.check_numbers()
