"""A dry run of every type of command: it is answered what the command itself is
answered right after it, and no table changes by it but where its answer goes."""

import json

import pytest
from harness.daemon import Daemon
from harness.message_schemas import SCHEMAS
from harness.wait import until
from ledger_kit import Ledger, command

TYPES = {name[len("command."):-len(".schema.json")] for name in SCHEMAS
         if name.startswith("command.")}
LIMITED = ["transfer.post", "hold.place", "stock.reserve", "order.place",
           "trade.record", "pool.deploy", "group", "market.settle"]
# What a dry run changes: its answer's row and how far the topic is read. What
# a writer notes of PostgreSQL's figures is of no command.
BESIDE = {"answers", "consumer_partitions", "health_marks"}


def member(type_, **fields):
    return {"type": type_, **fields}


def trade(tx, market="m", **fields):
    return {"account": "a", "market": market, "outcome": "yes", "side": "BUY",
            "tx": tx, "position": "5", "lock": "2.5", **fields}


# The books that each case begins with, in an organisation of its own.
BOOKS = [
    member("asset.define", asset="USD", scale=2),
    member("account.open", account="house", asset="USD", floor=None),
    member("account.open", account="a", asset="USD"),
    member("account.open", account="b", asset="USD"),
    member("account.open", account="fees", asset="USD", floor=None, shards=3),
    member("transfer.post", moves=[
        {"from": "house", "to": "a", "amount": "90"}]),
    member("transfer.post", moves=[
        {"from": "house", "to": "a", "amount": "10"}]),
    member("hold.place", **{"from": "a"}, amount="5", hold="h"),
    member("stock.receive", sku="s", qty="10"),
    member("stock.reserve", sku="s", qty="3", reservation="r"),
    member("order.place", order="o", market="m", side="BUY", qty="7"),
    member("order.fill", order="o", fill="known", qty="1"),
    member("order.place", order="p", market="m", side="BUY", qty="7"),
    member("trade.record", **trade("t1")),
    member("trade.record", **trade("t2", "other"))]
LATER = {"expires_at": "2090-01-01T00:00:00Z"}
PART = {"from": "house", "payouts": {"yes": "0.3"}}

# "$books" is the id under which these were made
CASES = {
    "asset": member("asset.define", asset="EUR", scale=3),
    "account": member("account.open", account="c", asset="USD", floor="-5"),
    "account with shards": member("account.open", account="c", asset="USD",
                                  floor=None, shards=2),
    "limit": member("account.limit", account="a", floor="-10",
                    expected_version={"account": {"a": 1}}),
    "closing": member("account.close", account="b"),
    "closing of shards": member("account.close", account="fees"),
    "transfer": member("transfer.post", moves=[
        {"from": "a", "to": "b", "amount": "1.2"},
        {"from": "b", "to": "fees", "amount": "0.2"}], ref="x", meta={"y": 1}),
    "reversal": member("transfer.reverse", transfer="$books/6"),
    "hold": member("hold.place", **{"from": "a"}, amount="1", hold="i"),
    "hold named by its id": member("hold.place", **{"from": "a"}, amount="1",
                                   **LATER),
    "capture": member("hold.capture", hold="h", to="b"),
    "capture of a part": member("hold.capture", hold="h", to="fees",
                                amount="2.25"),
    "void": member("hold.void", hold="h", expected_version={
        "hold": {"h": 1}}),
    "receipt": member("stock.receive", sku="s", qty="7"),
    "receipt of a new SKU": member("stock.receive", sku="t", qty="7"),
    "adjustment": member("stock.adjust", sku="s", delta="-7"),
    "reservation": member("stock.reserve", sku="s", qty="7", **LATER),
    "commit": member("reservation.commit", reservation="r"),
    "commit of a part": member("reservation.commit", reservation="r", qty="1"),
    "release": member("reservation.release", reservation="r"),
    "order": member("order.place", market="m", side="SELL", qty="2"),
    "acceptance": member("order.accept", order="p"),
    "fill": member("order.fill", order="o", fill="f", qty="6", price="0.5"),
    "known fill": member("order.fill", order="o", fill="known", qty="1.0"),
    "cancellation": member("order.cancel", order="o"),
    "loss": member("order.lost", order="o"),
    "trade": member("trade.record", **trade("t3", "new")),
    "trade with all": member("trade.record", **trade(
        "t3", skim={"amount": "1", "to": "fees"}, qty="1", price="0.61",
        belief={"belief": "0.6", "meta": "0.5"})),
    "known trade": member("trade.record", **trade("t1")),
    "fact": member("trade.record", **trade("t3", settled=True)),
    "pool": member("pool.deploy", market="m", address="0x1"),
    "pool of a new market": member("pool.deploy", market="new",
                                   address="0x1"),
    "settlement": member("market.settle", market="m", **PART),
    "settlement of a void market": member("market.settle", market="m",
                                          **{**PART, "payouts": {"no": "1"}}),
    "group": member("group", commands=[
        member("account.open", account="c", asset="USD"),
        member("transfer.post", moves=[
            {"from": "a", "to": "c", "amount": "9"}]),
        member("hold.place", **{"from": "c"}, amount="4"),
        member("hold.capture", hold="h", to="c"),
        member("stock.reserve", sku="s", qty="1", **LATER),
        member("reservation.commit", reservation="r"),
        member("order.place", market="m", side="BUY", qty="1"),
        member("order.fill", order="o", fill="known", qty="1"),
        member("order.cancel", order="p"),
        member("trade.record", **trade("t3", "new", skim={
            "amount": "2", "to": "fees"})),
        member("pool.deploy", market="new", address="0x2"),
        member("account.close", account="b")]),
}


@pytest.fixture(scope="module")
def ledger(cell, kafka):
    """One writer for all cases, with a rule that counts."""
    started = []

    def start(name, **flags):
        started.append(Daemon(name, **flags))
        return started[-1]
    made = Ledger.on(cell, kafka, start)
    made.rows("SELECT set_rate_rule('wide', NULL, 'actor', %s, 100, '1 hour', "
              "1, 'me', 'a test')", LIMITED)
    made.writer()
    yield made
    for daemon in started:
        daemon.kill()
        daemon.assert_no_fault_of_ours()
    made.db.close()
    cell.drop_database(made.database)


def tables(ledger):
    """{table: its rows}, of every table but those where an answer goes."""
    names = {name for name, in ledger.rows(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT "
        "relispartition AND relnamespace = 'ch'::regnamespace")}
    assert names > BESIDE and len(names) > 30
    return {name: ledger.rows(f"SELECT t::text FROM {name} t ORDER BY 1")
            for name in names - BESIDE}


def told(answer):
    """All that it says but what is one answer's own: the id (and names made
    of it), number, time, and how a window stands that counts no dry run."""
    own = {"rate": True} if "rate" in answer else {}
    text = json.dumps({**{k: v for k, v in answer.items() if k not in (
        "seq", "decided_at", "dry_run")}, **own})
    return text.replace(answer["id"], "<id>")


def test_every_type_has_a_case():
    assert {case["type"] for case in CASES.values()} == TYPES


@pytest.mark.parametrize("name", CASES)
def test_a_dry_run_is_answered_like_the_command_and_changes_nothing(
        ledger, name):
    org = name.replace(" ", "-")
    books = command("group", org, commands=BOOKS)
    assert ledger.do(books)["status"] == "applied"
    asked = json.loads(json.dumps(CASES[name]).replace("$books",
                                                       books["id"]))
    type_ = asked.pop("type")
    before, answers = tables(ledger), ledger.rows("TABLE answers")
    assert before["rate_windows"] != []
    dry = ledger.do(command(type_, org, **asked, dry_run=True))
    assert (dry["status"], dry["dry_run"]) == ("applied", True), dry
    after = tables(ledger)
    assert {t for t in before if before[t] != after[t]} == set()
    assert len(ledger.rows("TABLE answers")) == len(answers) + 1
    done = ledger.do(command(type_, org, **asked))
    assert "dry_run" not in done and told(done) == told(dry)
    assert tables(ledger)["command_log"] != before["command_log"]
    until(lambda: ledger.rows("SELECT FROM ledger_markets WHERE "
                              "state = 'settling'") == [], 60,
          "the next case begins at rest")
