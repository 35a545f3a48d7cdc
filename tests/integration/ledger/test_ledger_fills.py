"""market.fills: a venue's fills move our orders, each once, and none is lost."""

import json

from harness.wait import until
from ledger_kit import command, now, rfc3339


def fill(name, order, qty, **fields):
    body = {"fill_id": name, "org": "acme", "order": order, "qty": qty,
            "price": "0.57", "traded_at": rfc3339(-5),
            "condition_id": "0x1", "source": "venue", **fields}
    return body["condition_id"], json.dumps(body)


def order_of(ledger, name):
    return ledger.rows("SELECT state, qty, filled FROM orders WHERE name = %s",
                       name)[0]


def letters(ledger):
    return sorted(r[0] for r in ledger.rows(
        "SELECT error_class FROM rejected WHERE topic = %s", ledger.fills))


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
    rows = ledger.rows("SELECT status, convert_from(record_key, 'UTF8'), "
                       "result::json->>'confirmed' "
                       "FROM command_log WHERE type = 'order.fill'")
    assert {r[:2] for r in rows} == {("applied", "acme/o1")}
    assert len([r for r in rows if r[2] is None]) == 2
    # reports of one moment are one record's, others confirm what is known
    repeated = ledger.rows("SELECT status FROM answers")
    assert set(repeated) <= {("duplicate",)}
    assert len(rows) + len(repeated) == 5
    assert ledger.value("SELECT price FROM order_fills WHERE fill = 'f1'"
                        ) == "0.57"
    assert ledger.rows("SELECT type FROM outbox WHERE aggregatetype = 'order' "
                       "ORDER BY seq") == [
        ("order.placed",), ("order.partially_filled",), ("order.filled",)]
    # the same fill by a producer's command is known, too
    answer = ledger.do(command("order.fill", order="o1", fill="f1", qty="4"))
    assert answer["status"] == "applied" and answer["confirmed"]


def test_fills_that_cannot_be_read_or_do_not_fit(ledger, kafka):
    writer = ledger.writer()
    ledger.do(command("order.place", order="o1", market="m", side="SELL",
                      qty="1"))
    bad = [("k", "{"), fill("f", "o1", 1), fill("f", "o1", "-1"),
           fill("f", "o1", "1", traded_at="today"), fill("", "o1", "1"),
           fill("f", "o1", "1", org="a/b")]
    kafka.produce(ledger.fills, bad + [fill("f3", "nobody", "1"),
                                       fill("f4", "o1", "2")])
    ledger.wait_consumed(len(bad) + 2, topic=ledger.fills)
    assert letters(ledger) == sorted(
        ["malformed", *["invalid"] * (len(bad) - 1), "illegal_order_move",
         "order_not_found"])
    # who waits for the order is told; the id is not taken
    assert sorted(ledger.rows(
        "SELECT status, convert_from(record_key, 'UTF8') FROM answers")) == [
            ("illegal_order_move", "acme/o1"),
            ("order_not_found", "acme/nobody")]
    assert ledger.rows("SELECT * FROM command_log "
                       "WHERE type = 'order.fill'") == []
    assert order_of(ledger, "o1")[0] == "placed"
    until(lambda: writer.metric("ledger_fills_parked_total") == len(bad) + 2,
          60, "they are counted")
    ledger.check_numbers()


def test_a_fill_before_its_order_is_applied_from_its_letter_once(
        ledger, kafka):
    ledger.writer()
    early = fill("f1", "o1", "4")
    kafka.produce(ledger.fills, [early])
    ledger.wait_consumed(1, topic=ledger.fills)
    assert letters(ledger) == ["order_not_found"]
    ledger.do(command("order.place", order="o1", market="m", side="BUY",
                      qty="10"))
    # as the relay sends it, once and by mistake once more
    key, value = ledger.rows("SELECT convert_from(record_key, 'UTF8'), "
                             "convert_from(value, 'UTF8') FROM rejected")[0]
    assert (key, value) == early
    for n in (2, 3):
        kafka.produce(ledger.fills, [(key, value)])
        ledger.wait_consumed(n, topic=ledger.fills)
        assert order_of(ledger, "o1") == ("partial", 10 * 10**8, 4 * 10**8)
    assert letters(ledger) == ["order_not_found"]
    assert ledger.value("SELECT count(*) FROM order_fills") == 1
    ledger.check_books()


def test_one_trade_that_fills_two_of_our_orders(ledger, kafka):
    ledger.writer()
    for name, side in (("bid", "BUY"), ("ask", "SELL")):
        ledger.do(command("order.place", order=name, market="m", side=side,
                          qty="4"))
    at = rfc3339(-5)
    kafka.produce(ledger.fills, [fill("t1", name, "4", traded_at=at)
                                 for name in ("bid", "ask")])
    ledger.wait_consumed(2, topic=ledger.fills)
    assert order_of(ledger, "bid")[0] == order_of(ledger, "ask")[0] == "filled"
    assert letters(ledger) == []


def test_old_and_future_records_become_letters_and_old_trades_count(
        ledger, kafka):
    ledger.writer()
    ledger.do(command("order.place", order="o1", market="m", side="BUY",
                      qty="10"))
    days = 86400
    lowest = ledger.value(
        "SELECT extract(epoch FROM lowest_day::timestamp)::int8 * 1000 "
        "FROM retention WHERE table_name = 'command_log'")
    old = fill("old", "o1", "1", traded_at=rfc3339(-400 * days))
    ahead = fill("ahead", "o1", "2")
    kafka.produce_at(ledger.fills, [old], lowest - 1)
    kafka.produce_at(ledger.fills, [ahead], int((now() + 1800) * 1000))
    ledger.wait_consumed(2, topic=ledger.fills)
    assert letters(ledger) == ["key_expired", "key_in_future"]
    assert order_of(ledger, "o1")[0] == "placed"
    kafka.produce(ledger.fills, [old, ahead])
    ledger.wait_consumed(4, topic=ledger.fills)
    assert order_of(ledger, "o1") == ("partial", 10 * 10**8, 3 * 10**8)
    assert letters(ledger) == ["key_expired", "key_in_future"]
    ledger.check_books()


def test_a_fill_that_is_known_with_other_figures(ledger, kafka):
    ledger.writer()
    ledger.do(command("order.place", order="o1", market="m", side="BUY",
                      qty="10"))
    kafka.produce(ledger.fills, [fill("f", "o1", "4"),
                                 fill("f", "o1", "5"),
                                 fill("f", "o1", "4", price="0.58")])
    ledger.wait_consumed(3, topic=ledger.fills)
    assert letters(ledger) == ["fact_mismatch"] * 2
    assert order_of(ledger, "o1")[2] == 4 * 10**8
