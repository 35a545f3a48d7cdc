"""The oracle reads every kind of line, and finds what is not right in a log.
Nothing runs here but the oracle."""

import collections
import json
import time

import ledger_oracle
from ledger_random_every import Every

AT = 1795255200000000  # 2026-11-21T10:00:00Z


class Log:
    def __init__(self):
        self.lines = []

    def add(self, source, **fields):
        self.lines.append({"at": (len(self.lines), 0), "source": source,
                           **fields})

    def record(self, body, at=0, part=0, **fields):
        value = json.dumps({
            "id": f"01a1fd8c-67be-7f60-8a1b-{len(self.lines):012d}",
            "org": "acme", **body})
        self.add("kafka", decided_at=AT + at, part=part,
                 command_hex=value.encode().hex(), **fields)

    def timer(self, at, **named):
        fields = {k: named.pop(k) for k in ("expect", "page_size")
                  if k in named}
        self.add("timer", decided_at=AT + at, command_hex=json.dumps(
            {"org": "acme", **named}).encode().hex(), **fields)

    def books(self):
        self.record({"type": "asset.define", "asset": "USD", "scale": 2})
        for name in ("w", "s"):
            self.record({"type": "account.open", "account": name,
                         "asset": "USD", "floor": None,
                         **({"shards": 2} if name == "s" else {})})
        for name in ("a", "b"):
            self.record({"type": "account.open", "account": name,
                         "asset": "USD"})


def trade(account, tx, position):
    return {"type": "trade.record", "account": account, "market": "m",
            "outcome": "YES", "side": "BUY", "tx": tx, "position": position,
            "lock": "0"}


def move(from_, to, amount):
    return {"type": "transfer.post", "moves": [
        {"from": from_, "to": to, "amount": amount}]}


def test_a_partition_tells_the_shard(tmp_path):
    log = Log()
    log.books()
    log.record(move("s", "a", "1.00"), part=3)
    by_line, rows, summary = ledger_oracle.run(log.lines, tmp_path)
    assert (summary["differences"], summary["problems"]) == (0, 0)
    assert by_line[-1]["postings"][0].startswith("acme|s|1|0|-100|-100|")
    assert rows["a/acme/s/1"]["balance"] == -100
    assert rows["a/acme/s/0"]["balance"] == 0


def test_a_hold_runs_out_by_its_timers_row(tmp_path):
    log = Log()
    log.books()
    log.record({"type": "hold.place", "from": "w", "amount": "1.00",
                "hold": "h", "expires_at": "2026-11-21T10:00:01Z"})
    log.timer(1000000, type="hold.expire", hold="h")
    _, rows, summary = ledger_oracle.run(log.lines, tmp_path)
    assert (summary["differences"], summary["problems"]) == (0, 0)
    assert rows["h/acme/h"]["state"] == "expired"
    # too early; or missing where a command names its account
    log.lines[-1]["decided_at"] -= 1
    assert ledger_oracle.run(log.lines, tmp_path)[2]["problems"] == 1
    log.lines.pop()
    log.record(move("w", "a", "1.00"), at=1000000)
    assert ledger_oracle.run(log.lines, tmp_path)[2]["problems"] == 1


def test_pages_pay_in_the_order_of_the_runs_numbers(tmp_path):
    log = Log()
    log.books()
    log.record(trade("a", "t1", "0.015"))
    log.record(trade("b", "t2", "0.015"))
    log.record({"type": "market.settle", "market": "m", "from": "w",
                "payouts": {"YES": "1"}})
    log.timer(1, type="market.pay", market="m", page_size=1)
    log.timer(2, type="market.pay", market="m", page_size=1)
    _, rows, summary = ledger_oracle.run(log.lines, tmp_path)
    assert summary["problems"] == 0
    assert rows["m/acme/m"]["state"] == "settled"
    assert rows["p/acme/a/m/YES"]["paid"] == 1
    assert rows["p/acme/b/m/YES"]["paid"] == 2
    log.add("positions", org="acme", market="m", accounts=["b", "a"],
            outcomes=["YES", "YES"])
    order = log.lines.pop()
    lines = log.lines[:-2] + [order] + log.lines[-2:]
    by_line, rows, summary = ledger_oracle.run(lines, tmp_path)
    assert summary["problems"] == 0
    assert rows["p/acme/b/m/YES"]["paid"] == 1
    assert [p.split("|")[6] for p in by_line[-1]["postings"]] == ["", ""]
    order["accounts"].pop()
    order["outcomes"].pop()
    assert ledger_oracle.run(lines, tmp_path)[2]["problems"] == 1
    log.timer(3, type="market.pay", market="m")
    assert ledger_oracle.run(log.lines, tmp_path)[2]["problems"] == 1


def test_rate_rules_are_in_force_from_their_line_on(tmp_path):
    log = Log()
    log.books()
    log.add("rates", rates=[{"name": "r", "org": None, "scope": "org",
                             "types": ["transfer.post"], "most": 3,
                             "window_us": 1000, "shares": 2}])
    for at, part in ((0, 0), (1, 0), (2, 0), (3, 1), (4, 1), (1000, 0)):
        log.record(move("w", "a", "1.00"), at=at, part=part)
    by_line, rows, _ = ledger_oracle.run(log.lines, tmp_path)
    statuses = [json.loads(e["results"][0])["status"] for e in by_line[5:]]
    assert statuses == ["applied", "applied", "rate_limited", "applied",
                        "rate_limited", "applied"]
    assert rows["w/acme/r/0"]["stamps"] == [AT + 1, AT + 1000]


def test_a_groups_failure_by_absence_is_taken_from_the_log(tmp_path):
    log = Log()
    log.books()
    group = {"type": "group", "commands": [
        {"type": "hold.void", "hold": "h"}]}
    log.record(group)
    answer = json.loads(ledger_oracle.run(log.lines, tmp_path)[0][-1]
                        ["results"][0])
    assert answer["failed"] == {"index": 0, "status": "hold_not_found"}
    answer["failed"]["status"] = "order_not_found"
    log.lines[-1]["expect"] = json.dumps(answer, separators=(",", ":"))
    summary = ledger_oracle.run(log.lines, tmp_path)[2]
    assert (summary["differences"], summary["from_log"]) == (0, 1)
    answer["failed"]["status"] = "hold_voided"
    log.lines[-1]["expect"] = json.dumps(answer, separators=(",", ":"))
    assert ledger_oracle.run(log.lines, tmp_path)[2]["differences"] == 1


def test_the_random_load_makes_every_type(tmp_path):
    load, log = Every(7), Log()
    now = int(time.time() * 1000000)
    values = [json.dumps(cmd) for step in load.setup() for cmd in step]
    for value in values + [v for _, v in load.records(6000)]:
        log.add("kafka", decided_at=now, command_hex=value.encode().hex())
    by_line, _, summary = ledger_oracle.run(log.lines, tmp_path)
    assert summary["problems"] == 0
    seen = collections.Counter()
    for entry in by_line:
        for result in entry["results"]:
            answer = json.loads(result)
            if answer.get("type"):
                seen[answer["type"], answer["status"]] += 1
    types = {t for t, status in seen if status == "applied"}
    assert types >= {
        "account.open", "account.limit", "account.close", "transfer.post",
        "transfer.reverse", "hold.place", "hold.capture", "hold.void",
        "stock.receive", "stock.adjust", "stock.reserve",
        "reservation.commit", "reservation.release", "group", "order.place",
        "order.accept", "order.fill", "order.cancel", "order.lost",
        "trade.record", "pool.deploy", "market.settle"}, seen
    invalid = sum(n for (_, status), n in seen.items() if status == "invalid")
    assert invalid < 300, seen
