"""With the real ledger-writer and outbox-relay: one balance is edited by hand
while commands flow."""

import json
import os
import threading
import time
import uuid

import pytest

from harness.wait import until
from reconciler_books import one, open_breaks, views


def v7():
    """A UUIDv7 of now."""
    raw = bytearray(int(time.time() * 1000).to_bytes(6, "big")
                    + os.urandom(10))
    raw[6] = 0x70 | raw[6] & 15
    raw[8] = 0x80 | raw[8] & 63
    return str(uuid.UUID(bytes=bytes(raw)))


def command(org, kind, **fields):
    return {"id": v7(), "org": org, "type": kind, **fields}


def transfer(org, payer, payee, amount):
    return command(org, "transfer.post", moves=[
        {"from": payer, "to": payee, "amount": amount}])


class Fleet:
    """Topics of this test's own, and what went in and came out."""

    def __init__(self, kafka, db):
        self.kafka, self.db = kafka, db
        self.commands = kafka.unique("ledger.commands")
        self.results = kafka.unique("ledger.results")
        self.alerts = kafka.unique("fleet.alerts")
        self.control = kafka.unique("fleet.control")
        kafka.create(self.commands, f"{self.commands}.dlq", self.results)
        kafka.create(self.alerts, self.control, partitions=1)
        self.sent = {}
        self.mu = threading.Lock()

    def send(self, *commands):
        with self.mu:
            self.sent.update({c["id"]: c for c in commands})
        self.kafka.produce(self.commands, [
            (f"{c['org']}/{self.owner(c)}", json.dumps(c)) for c in commands])

    @staticmethod
    def owner(cmd):
        if "moves" in cmd:
            return cmd["moves"][0]["from"]
        return cmd.get("account") or cmd.get("asset")

    def statuses(self):
        """id -> statuses on the results topic, in order, repeats dropped."""
        seen = {}
        for record in self.kafka.read(self.results):
            result = json.loads(record["payload"])
            line = (result["seq"], result["status"])
            known = seen.setdefault(result["id"], [])
            if line not in known:
                known.append(line)
        return {i: [s for _, s in lines] for i, lines in seen.items()}

    def do(self, *commands):
        """Sends and waits until all are applied."""
        self.send(*commands)
        ids = [c["id"] for c in commands]

        def applied():
            with self.db.cursor() as cur:
                cur.execute("SELECT count(*) FROM command_log WHERE "
                            "id::text = ANY (%s) AND status = 'applied'",
                            (ids,))
                return cur.fetchone()[0] == len(ids)
        until(applied, 60, "commands applied")


@pytest.fixture
def fleet(cell, kafka, database, db, daemons, reconciler):
    made = Fleet(kafka, db)
    daemons("ledger-writer", bootstrap=kafka.bootstrap,
            database_url=cell.url("writer", database),
            group=kafka.unique("ledger-writer"),
            commands_topics=made.commands, trades_topics="", fills_topics="")
    daemons("outbox-relay", bootstrap=kafka.bootstrap,
            database_url=cell.url("relay", database),
            slot="s" + uuid.uuid4().hex[:8], results_topic=made.results,
            routes=f"fleet.alerts={made.alerts},"
                   f"fleet.control={made.control}")
    made.reconciler = reconciler(interval="1s", fold_every="5s")
    for org in ("acme", "beta"):
        made.do(command(org, "asset.define", asset="USD", scale=2))
        made.do(command(org, "account.open", account="house", asset="USD",
                        floor=None),
                *[command(org, "account.open", account=f"user:{n}",
                          asset="USD") for n in range(4)])
        made.do(*[transfer(org, "house", f"user:{n}", "1000.00")
                  for n in range(4)])
    return made


class Load(threading.Thread):
    """Transfers of both organisations until it is told to stop."""

    def __init__(self, fleet):
        super().__init__()
        self.fleet, self.done = fleet, threading.Event()
        self.ids = {"acme": [], "beta": []}

    def run(self):
        n = 0
        while not self.done.wait(0.1):
            batch = []
            for org, ids in self.ids.items():
                for _ in range(10):
                    cmd = transfer(org, f"user:{n % 4}",
                                   f"user:{(n + 1) % 4}", "0.01")
                    ids.append(cmd["id"])
                    batch.append(cmd)
                    n += 1
            self.fleet.send(*batch)


def told(fleet, key):
    """Alerts of a break on the real topic."""
    return [json.loads(r["payload"]) for r in fleet.kafka.read(fleet.alerts)
            if r["key"] == key]


def posted(db, org, where, *args):
    """How many postings an organisation has in these batches."""
    return one(db, "SELECT count(*) FROM postings p JOIN orgs o USING "
               f"(org_id) WHERE o.name = %s AND {where}", (org, *args))


def test_one_balance_edited_in_psql_while_commands_flow(db, fleet):
    key = "balances/acme/user:2"
    load = Load(fleet)
    load.start()
    try:
        until(lambda: one(db, "SELECT count(*) FROM command_log WHERE "
                          "type = 'transfer.post'") > 200, 60, "load")
        assert open_breaks(db) == []
        db.cursor().execute(
            "UPDATE balances b SET balance = balance + 100 FROM accounts a "
            "JOIN orgs o USING (org_id) WHERE b.account_id = a.account_id "
            "AND a.org_id = b.org_id AND a.name = 'user:2' "
            "AND o.name = 'acme'")
        until(lambda: open_breaks(db) == [key], 60, "a break row")
        until(lambda: one(db, "SELECT 1 FROM pauses WHERE scope = 'acme'"), 60,
              "a pause")
        until(lambda: told(fleet, key), 60, "a record on fleet.alerts")
        assert told(fleet, key)[0]["difference"] == "100"
        # everything of the scope that is sent from here on is refused
        late = [transfer("acme", f"user:{n % 4}", "house", "0.05")
                for n in range(40)]
        fleet.send(*late)
        late = [c["id"] for c in late]

        def refused():
            seen = fleet.statuses()
            return all(seen.get(i) == ["trading_paused"] for i in late)
        until(refused, 60, "late commands answered trading_paused")
        # those of the other organisation go on
        paused = one(db, "SELECT number FROM pauses WHERE scope = 'acme'")
        until(lambda: posted(db, "beta", "batch > %s", paused), 60,
              "postings of beta during the pause")
    finally:
        load.done.set()
        load.join()
    assert one(db, "SELECT pause FROM breaks WHERE break_key = %s",
               (key,)) == paused
    all_answered(fleet)

    # the operator corrects the balance or not; trading may go on either way
    resumed = one(db, "SELECT resume('acme', 'found the cause', 'ops:eve', "
                  "override => 'books are looked after')")
    during = ("batch BETWEEN %s AND %s", paused, resumed)
    assert posted(db, "acme", *during) == 0
    assert posted(db, "beta", *during) > 0

    # the same ids are applied now, once each
    again = [i for i, seen in fleet.statuses().items()
             if seen == ["trading_paused"]]
    assert set(late) <= set(again)
    assert all(fleet.sent[i]["org"] == "acme" for i in again)
    fleet.do(*[fleet.sent[i] for i in again])

    def applied():
        seen = fleet.statuses()
        return all(seen[i] == ["trading_paused", "applied"] for i in again)
    until(applied, 60, "results of the same ids")
    assert one(db, "SELECT count(*) FROM command_log WHERE status = 'applied' "
               "AND type = 'transfer.post'") == \
        len(load.ids["acme"]) + len(load.ids["beta"]) + 40 + 8
    assert one(db, "SELECT count(*) FROM pauses") == 0
    assert open_breaks(db) == views(db) == [key]

    db.cursor().execute(
        "UPDATE balances b SET balance = balance - 100 FROM accounts a JOIN "
        "orgs o USING (org_id) WHERE b.account_id = a.account_id AND a.org_id "
        "= b.org_id AND a.name = 'user:2' AND o.name = 'acme'")
    until(lambda: open_breaks(db) == [], 60, "resolved")
    until(lambda: told(fleet, key)[-1]["alert"] == "break.resolved", 60,
          "told")
    assert [a["alert"] for a in told(fleet, key)] == [
        "break.opened", "break.paused", "break.resolved"]
    assert views(db) == []
    until(lambda: len(fleet.kafka.read(fleet.control)) > 1, 60, "announced")
    actions = [json.loads(r["payload"])["action"]
               for r in fleet.kafka.read(fleet.control)]
    assert actions == ["pause", "resume"]


def all_answered(fleet):
    until(lambda: set(fleet.statuses()) == set(fleet.sent), 60,
          "every command answered")


def test_the_fleets_own_books_stay_free_of_breaks(db, fleet):
    """Real batches, duplicates, refusals and malformed records: no check
    raises a false alarm, and one full verification agrees."""
    load = Load(fleet)
    load.start()
    try:
        until(lambda: len(load.ids["beta"]) > 150, 60, "load")
        fleet.send(*[fleet.sent[i] for i in load.ids["acme"][:50]])
        fleet.send(*[transfer("acme", "user:1", "house", "9999999.00")
                     for _ in range(20)])
        fleet.kafka.produce(fleet.commands, [("acme/x", "not json")] * 10)
        until(lambda: len(load.ids["beta"]) > 400, 60, "load")
    finally:
        load.done.set()
        load.join()
    until(lambda: set(fleet.sent) <= set(fleet.statuses()), 60, "answered")
    until(lambda: one(db, "SELECT (SELECT count(*) FROM postings) = (SELECT "
                      "sum(n) FROM ledger_buckets JOIN reconcile_progress "
                      "USING (gen))"), 60, "folded")
    until(lambda: one(db, "SELECT bool_and(verified = next_log_seq - 1) FROM "
                      "reconcile_streams JOIN consumer_partitions USING "
                      "(stream)"), 60, "log verified")
    assert one(db, "SELECT count(*) FROM rejected") == 10
    assert one(db, "SELECT count(*) FROM breaks") == 0
    assert views(db) == []
    assert fleet.reconciler.metric("reconciler_failures_total") == 0
