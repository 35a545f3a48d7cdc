"""What nobody sent and PostgreSQL refuses for good: an expiry, a page of a
settlement. It is set aside with its cause and mending told, all else goes on,
and once mended it is taken up by itself or by the next writer."""

import json
import re

import ledger_oracle
import pytest
from harness.wait import until
from ledger_kit import Ledger, command, refuse, rfc3339, transfer
from ledger_markets import applied, groups, market, trade


def mend(ledger):
    ledger.db.cursor().execute("DROP FUNCTION refuse_it CASCADE")


def alerts(ledger):
    return [(row[0], row[1], json.loads(row[2])) for row in ledger.rows(
        "SELECT type, aggregateid, payload FROM outbox WHERE aggregatetype = "
        "'fleet.alerts' ORDER BY seq")]


def one_alert(ledger, kind, number, table):
    """Who is called, about what, why and what to do; the one who is."""
    ((type_, key, body),) = alerts(ledger)
    assert type_ == body["alert"] == f"{kind}.set_aside"
    assert key == f"ledger-writer/{kind}/{number}"
    assert body[f"{kind}_id"] == number
    assert "P0001" in body["reason"] and "not this row" in body["reason"]
    assert f"FROM ch.{table} WHERE {kind}_id = {number}" in body["mend"]


def the_line(writer, kind, number):
    line = re.search(rf"event=due.set_aside kind={kind} number={number} .*",
                     writer.logged())[0]
    assert "P0001 " in line and "not this row" in line, line
    assert f"WHERE {kind}_id = {number}; mend what refuses it" in line, line


@pytest.fixture
def single(cell, kafka, db, database, daemons):
    """All of it is one partition's."""
    return Ledger(cell, kafka, db, database, daemons, partitions=1)


def settled_fully(ledger, name):
    state, reserved, paid, unpaid, holders, unpaid_holders, _ = market(
        ledger, name)
    return (state, paid, unpaid, unpaid_holders) == ("settled", reserved, 0, 0)


def test_a_page_that_postgresql_refuses_stops_no_other_settlement(
        single, tmp_path):
    """The second of three pages; behind it in the order of time a market that
    can be paid. The first writer waits for ever, the next one begins anew."""
    ledger = single
    writer = ledger.writer(aside_retry="24h")
    ledger.open_books()
    names = [f"h{i}" for i in range(1100)]
    applied(ledger, *groups(lambda n: command(
        "account.open", account=n, asset="USD"), ["payer", *names]))
    applied(ledger, transfer("house", "payer", "90000.00"))
    # a market is born by its first trade
    applied(ledger, trade(names[0], "m"), trade(names[0], "other"))
    applied(ledger, *groups(lambda n: trade(n, "m", "2"), names[1:]),
            *groups(lambda n: trade(n, "other", "3"), names[1:90]))
    number = ledger.value("SELECT market_id FROM ledger_markets "
                          "WHERE name = 'm'")
    bad = ledger.value(
        "SELECT position_id FROM positions JOIN accounts USING (org_id, "
        "account_id) WHERE name = 'h777' AND market_id = %s", number)
    refuse(ledger, "UPDATE ON positions", f"NEW.position_id = {bad} AND "
           "NEW.paid IS DISTINCT FROM OLD.paid")
    pay = [command("market.settle", market=m, payouts={"yes": "0.5"},
                   **{"from": "payer"}) for m in ("m", "other")]
    applied(ledger, *pay)
    until(lambda: writer.metric("ledger_set_aside", kind="market") == 1, 60,
          "the market is set aside")
    until(lambda: settled_fully(ledger, "other"), 60, "the other is settled")
    # what was paid is a page, and nothing of the one that is refused
    state, reserved, paid, unpaid, holders, _, page = market(ledger)
    assert (state, page, unpaid) == ("settling", 1, 0)
    assert paid == 50 + 499 * 100 and reserved == 50 + 1099 * 100
    assert ledger.value("SELECT count(*) FROM positions WHERE market_id = %s "
                        "AND paid > 0", number) == 500
    assert ledger.value(
        "SELECT held FROM balances JOIN accounts USING (org_id, account_id) "
        "WHERE name = 'payer'") == reserved - paid
    the_line(writer, "market", number)
    one_alert(ledger, "market", number, "ledger_markets")
    # commands, expiries and readiness are as ever
    hold = command("hold.place", **{"from": "house"}, amount="1.00",
                   hold="short", expires_at=rfc3339(8))
    applied(ledger, hold, transfer("house", "a", "1.00"))
    until(lambda: ledger.value("SELECT state FROM holds") == "expired", 60,
          "a hold runs out")
    assert ledger.do(trade("h777", "m"))["status"] == "market_settled"
    writer.wait_ready()
    tries = writer.metric("ledger_retries_total", reason="rows")
    assert tries == 2 and len(alerts(ledger)) == 1
    mend(ledger)
    assert writer.stop() == 0
    second = ledger.writer(client_id="second")
    until(lambda: settled_fully(ledger, "m"), 60, "it is settled after all")
    assert market(ledger)[6] == 3
    assert second.metric("ledger_set_aside") == 0
    print(ledger_oracle.assert_equal(ledger, tmp_path))
    ledger.check_books()


def test_an_expiry_that_is_refused_is_tried_again_and_told_of_once(
        single, tmp_path):
    """Its account's commands and its other holds go on meanwhile."""
    ledger = single
    writer = ledger.writer(aside_retry="1s")
    ledger.open_books()
    applied(ledger, transfer("house", "a", "50.00"))
    refuse(ledger, "UPDATE ON holds", "NEW.name = 'bad' AND NEW.state = 'expired'")
    for name, seconds in (("bad", 8), ("good", 9), ("later", 11)):
        applied(ledger, command("hold.place", **{"from": "a"}, hold=name,
                                amount="7.00", expires_at=rfc3339(seconds)))
    number = ledger.value("SELECT hold_id FROM holds WHERE name = 'bad'")

    def set_aside():
        return writer.logged().count("event=due.set_aside kind=hold "
                                     f"number={number} ")
    until(set_aside, 60, "it is set aside")
    sent = 0
    while set_aside() < 4:  # by sweeps and by commands, whoever meets it
        sent += 1
        assert ledger.do(transfer("a", "b", "0.01"))["status"] == "applied"
    until(lambda: ledger.rows("SELECT name, state FROM holds ORDER BY 1") == [
        ("bad", "held"), ("good", "expired"), ("later", "expired")], 60,
        "the others run out")
    assert ledger.value(
        "SELECT held FROM balances JOIN accounts USING (org_id, account_id) "
        "WHERE name = 'a'") == 700
    the_line(writer, "hold", number)
    one_alert(ledger, "hold", number, "holds")
    assert ledger.rows("SELECT * FROM rejected") == []
    writer.wait_ready()
    mend(ledger)
    until(lambda: ledger.value("SELECT state FROM holds WHERE name = 'bad'")
          == "expired", 60, "it runs out by itself")
    until(lambda: writer.metric("ledger_set_aside") == 0, 60, "the metric")
    assert len(alerts(ledger)) == 1
    ledger_oracle.settled(ledger)
    wrong, summary = ledger_oracle.differences(
        ledger, ledger_oracle.produced(ledger), tmp_path)
    # what was decided on its account while it was due is said, and no more
    assert all("due and not settled: bad" in text for text in wrong), wrong
    print(summary, sent)
    ledger.check_books()


@pytest.mark.parametrize("code,sqlstate", [("check_violation", "23514"),
                                           ("raise_exception", "P0001")])
def test_a_command_that_a_trigger_refuses_is_parked(single, code, sqlstate):
    """23514 without a constraint's name is a missing partition's only with
    its table's."""
    ledger = single
    writer = ledger.writer()
    ledger.open_books()
    refuse(ledger, "INSERT ON postings", "NEW.amount = 1313",
           code)
    cmds = [transfer("house", "a", amount) for amount in ("1.00", "13.13",
                                                          "2.00")]
    ledger.send(*cmds)
    assert [ledger.answer(c, 60)["status"] for c in cmds] == [
        "applied", "invalid", "applied"]
    assert ledger.rows("SELECT error_class, sqlstate FROM rejected") == [
        ("poison", sqlstate)]
    assert writer.metric("ledger_retries_total",
                         reason="partition_missing") == 0
    ledger.check_books()
