"""`explain` of one command of every type, applied and refused: postings, what
was changed from what to what, and why it was refused."""

import pathlib

import pytest
from harness.wait import until
from ledger_console import Console
from ledger_kit import command, rfc3339, transfer

SCHEMAS = (pathlib.Path(__file__).resolve().parents[3] / "schema/messages")
TYPES = {path.name[len("command."):-len(".schema.json")]
         for path in SCHEMAS.glob("command.*.schema.json")}


@pytest.fixture
def console(ledger):
    return Console(ledger)


def block(text, title):
    """The lines under a title, without their indent."""
    rows = iter(text.splitlines())
    for row in rows:
        if row.startswith(f"  {title} "):
            found = [row[13:]]
            for more in rows:
                if not more.startswith(" " * 13):
                    break
                found.append(more[13:])
            return found
    return []


class Story:
    """Commands that are sent, and what explain must say of each."""

    def __init__(self, ledger, console):
        self.ledger, self.console = ledger, console
        self.applied, self.refused = set(), set()

    def told(self, id_, type_, postings, changed):
        text = self.console.explain(id_)
        assert text.splitlines()[0] == f"{id_}  acme  {type_}", text
        assert block(text, "status")[0].startswith("applied"), text
        assert block(text, "postings") == (postings or ["none"]), text
        assert block(text, "changed") == changed, text
        assert f'"{type_}"' in block(text, "asked")[0], text
        rows = self.console.explained(id_)["rows"][0]["changes"] or []
        assert [f"{r['kind']} {r['name']}  {r['figure']}  {r['before']}  ->  "
                f"{r['after']}" for r in rows] == changed
        self.applied.add(type_)

    def does(self, type_, *changed, postings=(), **fields):
        """Sent, applied, and told so; its id."""
        cmd = command(type_, **fields)
        answer = self.ledger.do(cmd)
        assert answer["status"] == "applied", answer
        self.told(cmd["id"], type_, list(postings),
                  [line.replace("<id>", cmd["id"]) for line in changed])
        return cmd["id"]

    def fails(self, status, why, type_, **fields):
        """Sent, refused, and told why: nothing was posted or changed."""
        cmd = command(type_, **fields)
        answer = self.ledger.do(cmd)
        assert answer["status"] == status, answer
        text = self.console.explain(cmd["id"])
        assert block(text, "status")[0].startswith(
            f"{status}: refused by the books"), text
        assert why in block(text, "why")[0], text
        assert block(text, "why")[0] == answer["reason"]
        assert block(text, "postings") == block(text, "changed") == [], text
        self.refused.add(type_)

    def timer(self, type_, postings, *changed):
        """Decided by the writer by itself."""
        id_ = until(lambda: self.ledger.rows(
            "SELECT result::json ->> 'id' FROM command_log WHERE type = %s",
            type_), 60, type_)[0][0]
        self.told(id_, type_, postings, list(changed))


def accounts(story):
    story.does("asset.define", "asset EUR  scale  none  ->  3", asset="EUR",
               scale=3)
    story.fails("asset_exists", "is defined already, with scale 3",
                "asset.define", asset="EUR", scale=2)
    story.does("account.open", "account c  floor  none  ->  -5.00",
               "account c  held  none  ->  0.00",
               "account c  state  none  ->  open",
               account="c", asset="USD", floor="-5")
    story.fails("account_exists", '"c" exists already', "account.open",
                account="c", asset="USD")
    story.does("account.limit", "account c  floor  -5.00  ->  -10.00",
               account="c", floor="-10")
    story.does("account.limit", "account c  floor  -10.00  ->  none",
               account="c", floor=None)
    story.fails("insufficient_funds", "the floor would be 7",
                "account.limit", account="c", floor="7")
    story.does("account.close", "account c  state  open  ->  closed",
               account="c")
    story.fails("account_closed", '"c"', "account.close", account="c")


def money(story):
    story.does("transfer.post", moves=[
        {"from": "house", "to": "a", "amount": "50"},
        {"from": "house", "to": "b", "amount": "50"}],
        postings=["house  0.00  -50.00  =  -50.00 USD",
                  "a  0.00  +50.00  =  50.00 USD",
                  "house  -50.00  -50.00  =  -100.00 USD",
                  "b  0.00  +50.00  =  50.00 USD"])
    sent = story.does("transfer.post", moves=[
        {"from": "a", "to": "b", "amount": "1.2"}],
        postings=["a  50.00  -1.20  =  48.80 USD",
                  "b  50.00  +1.20  =  51.20 USD"])
    story.fails("insufficient_funds", "48.80", "transfer.post", moves=[
        {"from": "a", "to": "b", "amount": "1000"}])
    story.does("transfer.reverse",
               f"transfer {sent}  state  posted  ->  reversed", transfer=sent,
               postings=["b  51.20  -1.20  =  50.00 USD",
                         "a  48.80  +1.20  =  50.00 USD"])
    story.fails("already_reversed", sent, "transfer.reverse", transfer=sent)
    story.does("hold.place", "account a  held  0.00  ->  30.00",
               "hold h  state  none  ->  held", **{"from": "a"}, amount="30",
               hold="h")
    story.fails("insufficient_funds", "20.00", "hold.place", **{"from": "a"},
                amount="21")
    story.does("hold.capture", "account a  held  30.00  ->  0.00",
               "hold h  state  held  ->  captured", hold="h", to="house",
               amount="21.4",
               postings=["a  50.00  -21.40  =  28.60 USD",
                         "house  -100.00  +21.40  =  -78.60 USD"])
    story.fails("hold_captured", '"h"', "hold.capture", hold="h",
                to="house")
    story.does("hold.place", "account a  held  0.00  ->  2.00",
               "hold <id>  state  none  ->  held", **{"from": "a"},
               amount="2")
    story.does("hold.place", "account a  held  2.00  ->  5.00",
               "hold i  state  none  ->  held", **{"from": "a"}, amount="3",
               hold="i")
    story.does("hold.void", "account a  held  5.00  ->  2.00",
               "hold i  state  held  ->  voided", hold="i")
    story.fails("hold_voided", '"i"', "hold.void", hold="i")


def stock(story):
    story.does("stock.receive", "stock x  on_hand  none  ->  5",
               "stock x  reserved  none  ->  0", sku="x", qty="5")
    story.fails("overflow", "x", "stock.receive", sku="x",
                qty="9223372036854775807")
    story.does("stock.adjust", "stock x  on_hand  5  ->  4", sku="x",
               delta="-1")
    story.fails("out_of_stock", '"x"', "stock.adjust", sku="x", delta="-5")
    story.does("stock.reserve", "stock x  reserved  0  ->  3",
               "reservation r  state  none  ->  reserved", sku="x", qty="3",
               reservation="r")
    story.fails("out_of_stock", '"x"', "stock.reserve", sku="x", qty="2")
    story.does("reservation.commit", "stock x  on_hand  4  ->  2",
               "stock x  reserved  3  ->  0",
               "reservation r  state  reserved  ->  committed",
               reservation="r", qty="2")
    story.fails("reservation_committed", '"r"', "reservation.commit",
                reservation="r")
    story.does("stock.reserve", "stock x  reserved  0  ->  1",
               "reservation q  state  none  ->  reserved", sku="x", qty="1",
               reservation="q")
    story.does("reservation.release", "stock x  reserved  1  ->  0",
               "reservation q  state  reserved  ->  released",
               reservation="q")
    story.fails("reservation_released", '"q"', "reservation.release",
                reservation="q")


def orders(story):
    order = {"order": "o"}
    story.does("order.place", "order o  filled  none  ->  0.00000000",
               "order o  state  none  ->  placed", **order, market="v",
               side="BUY", qty="3")
    story.fails("order_exists", '"o" exists, placed', "order.place", **order,
                market="v", side="BUY", qty="3")
    story.does("order.accept", "order o  state  placed  ->  pending", **order)
    story.fails("illegal_order_move", '"o" is pending: it cannot be accepted',
                "order.accept", **order)
    story.does("order.fill", "order o  filled  0.00000000  ->  1.00000000",
               "order o  state  pending  ->  partial", **order, fill="f",
               qty="1")
    story.does("order.fill", **order, fill="f", qty="1.0")  # known
    story.fails("illegal_order_move", "has 2.00000000 left, 4 was filled",
                "order.fill", **order, fill="g", qty="4")
    story.does("order.lost", "order o  state  partial  ->  lost", **order)
    story.fails("illegal_order_move", '"o" is lost: it cannot be lost',
                "order.lost", **order)
    story.does("order.cancel", "order o  state  lost  ->  cancelled", **order)
    story.fails("illegal_order_move", '"o" is cancelled: it cannot be '
                "cancelled", "order.cancel", **order)
    story.does("order.fill", "order o  filled  1.00000000  ->  3.00000000",
               "order o  state  cancelled  ->  filled", **order, fill="g",
               qty="2")


def markets(story):
    def trade(market, tx, **fields):
        return {"account": "b", "market": market, "outcome": "Yes",
                "side": "BUY", "tx": tx, **fields}
    story.does("trade.record", "market m  asset  none  ->  USD",
               "market m  state  none  ->  open",
               "trade t1  state  none  ->  recorded",
               "account b  held  0.00  ->  3.00",
               "position b/m/Yes  lock  none  ->  3.00",
               "position b/m/Yes  qty  none  ->  1.00000000",
               **trade("m", "t1", position="1", lock="3"))
    second = trade("n", "t2", position="2", lock="3",
                   skim={"amount": "2", "to": "house"},
                   belief={"belief": "0.75", "meta": "0.5"})
    # the skim takes of the other position's lock too: 3.00 * 48 / 50
    story.does("trade.record", "market n  asset  none  ->  USD",
               "market n  state  none  ->  open",
               "trade t2  state  none  ->  recorded",
               "account b  held  3.00  ->  5.88",
               "position b/m/Yes  lock  3.00  ->  2.88",
               "position b/n/Yes  belief  none  ->  0.75000000",
               "position b/n/Yes  lock  none  ->  3.00",
               "position b/n/Yes  meta  none  ->  0.50000000",
               "position b/n/Yes  qty  none  ->  2.00000000", **second,
               postings=["b  50.00  -2.00  =  48.00 USD",
                         "house  -78.60  +2.00  =  -76.60 USD"])
    story.does("trade.record", "trade t2  state  recorded  ->  confirmed",
               **second, settled=True)
    story.does("trade.record", "trade t3  state  none  ->  confirmed",
               "account b  held  5.88  ->  4.00",
               "position b/m/Yes  lock  2.88  ->  1.00",
               "position b/m/Yes  qty  1.00000000  ->  4.00000000",
               **trade("m", "t3", position="4", lock="1", settled=True))
    story.fails("insufficient_funds", "the lock does not fit",
                "trade.record", **trade("m", "t4", position="4", lock="99"))
    story.does("pool.deploy", "market m  address  none  ->  0x1", market="m",
               address="0x1")
    story.fails("pool_exists", "0x1", "pool.deploy", market="m",
                address="0x2")
    story.does("market.settle", "market m  reserved  0.00  ->  4.00",
               "market m  state  open  ->  settling",
               "account house  held  0.00  ->  4.00", market="m",
               payouts={"Yes": "1"}, **{"from": "house"})
    story.timer("market.pay", ["house  -76.60  -4.00  =  -80.60 USD",
                               "b  48.00  +4.00  =  52.00 USD"],
                "market m  holders  0  ->  1", "market m  page  0  ->  1",
                "market m  paid  0.00  ->  4.00",
                "market m  state  settling  ->  settled",
                "account b  held  4.00  ->  3.00",
                "account house  held  4.00  ->  0.00",
                "position b/m/Yes  lock  1.00  ->  0.00",
                "position b/m/Yes  paid  none  ->  4.00")
    story.fails("market_settled", '"m"', "market.settle", market="m",
                payouts={"Yes": "1"}, **{"from": "house"})


def groups(story):
    """One command: what its members did together."""
    def member(type_, **fields):
        return {"type": type_, **fields}
    story.does("group", "account a  held  2.00  ->  7.00",
               "stock x  on_hand  2  ->  9", "stock x  reserved  0  ->  4",
               "hold <id>/0  state  none  ->  held",
               "reservation <id>/2  state  none  ->  reserved", commands=[
                   member("hold.place", **{"from": "a"}, amount="5"),
                   member("stock.receive", sku="x", qty="7"),
                   member("stock.reserve", sku="x", qty="4")])
    story.does("group", "order p  filled  none  ->  2.00000000",
               "order p  state  none  ->  partial",
               "account a  held  7.00  ->  8.50",
               "stock x  on_hand  9  ->  8",
               "hold <id>/2  state  none  ->  held", commands=[
                   member("order.place", order="p", market="v", side="SELL",
                          qty="5"),
                   member("order.fill", order="p", fill="1", qty="2"),
                   member("hold.place", **{"from": "a"}, amount="1.5"),
                   member("stock.adjust", sku="x", delta="-1")])
    story.fails("group_failed", '"p" is partial: it cannot be accepted',
                "group", commands=[
                    member("hold.place", **{"from": "a"}, amount="1"),
                    member("order.accept", order="p")])


def timers(story):
    story.does("hold.place", "account a  held  8.50  ->  9.50",
               "hold soon  state  none  ->  held", **{"from": "a"},
               amount="1", hold="soon", expires_at=rfc3339(8))
    story.does("stock.reserve", "stock x  reserved  4  ->  5",
               "reservation soon  state  none  ->  reserved", sku="x",
               qty="1", reservation="soon", expires_at=rfc3339(8))
    story.timer("hold.expire", [], "account a  held  9.50  ->  8.50",
                "hold soon  state  held  ->  expired")
    story.timer("reservation.expire", [], "stock x  reserved  5  ->  4",
                "reservation soon  state  reserved  ->  expired")


def test_every_type_before_and_after_and_why(ledger, console):
    ledger.writer()
    ledger.open_books()
    story = Story(ledger, console)
    for chapter in (accounts, money, stock, orders, markets, groups, timers):
        chapter(story)
    assert story.applied == TYPES | {"hold.expire", "reservation.expire",
                                     "market.pay"}
    assert story.refused == TYPES
    ledger.check_books()


def test_an_account_with_shards(ledger, console):
    ledger.writer()
    ledger.open_books()
    story = Story(ledger, console)
    story.does("account.open", "account fees  shards  none  ->  3",
               "account fees  state  none  ->  open", account="fees",
               asset="USD", floor=None, shards=3)
    story.does("account.close", "account fees  state  open  ->  closed",
               account="fees")


def test_of_a_long_command_the_screen_has_the_beginning(ledger, console):
    """32 moves: 64 postings, of which 20 lines; --json has all."""
    ledger.writer()
    ledger.open_books()
    cmd = transfer("house", "a", "1.00")
    cmd["moves"] *= 32
    assert ledger.do(cmd)["status"] == "applied"
    postings = block(console.explain(cmd["id"]), "postings")
    assert len(postings) == 21
    assert postings[20] == "and 44 more (--json has all)"
    assert len(console.explained(cmd["id"])["rows"][0]["postings"]) == 64
