"""Commands from a seed: hot rows, repeated and reused ids, refusals of every
kind, malformed values, expiring reservations."""

import json
import random

from ledger_kit import command, owner, rfc3339

ORGS = ("acme", "globex")
ACCOUNTS = [f"u{i}" for i in range(40)]
SKUS = [f"s{i}" for i in range(12)]


class Load:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.recent = []
        self.reserved = []

    def setup(self):
        """Lists of commands; each list rests on the one before."""
        yield [command("asset.define", org=o, asset=a, scale=s)
               for o in ORGS for a, s in (("USD", 2), ("BTC", 8))]
        yield ([command("account.open", org=o, account="house", asset="USD",
                        floor=None) for o in ORGS]
               + [command("account.open", org=o, account=a, asset="USD")
                  for o in ORGS for a in ACCOUNTS[:30]]
               + [command("stock.receive", org=o, sku=s, qty="500")
                  for o in ORGS for s in SKUS[:8]])

    def account(self):
        if self.rng.random() < 0.4:
            return "house"
        return self.rng.choice(ACCOUNTS)

    def sku(self):
        return SKUS[0] if self.rng.random() < 0.5 else self.rng.choice(SKUS)

    def amount(self):
        r = self.rng.random()
        if r < 0.02:
            return "1.234"
        if r < 0.04:
            return "92233720368547758.07"
        return f"{self.rng.randint(0, 30)}.{self.rng.randint(1, 99):02d}"

    def money(self, org):
        moves = []
        for _ in range(1 if self.rng.random() < 0.8
                       else self.rng.randint(2, 6)):
            moves.append({"from": self.account(), "to": self.account(),
                          "amount": self.amount()})
        extra = {}
        if self.rng.random() < 0.05:
            extra["expected_version"] = {
                "account": {moves[0]["from"]: self.rng.randint(0, 40)}}
        return command("transfer.post", org=org, moves=moves, **extra)

    def stock(self, org):
        kind = self.rng.random()
        if kind < 0.15:
            return command("stock.receive", org=org, sku=self.sku(),
                           qty=str(self.rng.randint(1, 20)))
        if kind < 0.65 or not self.reserved:
            cmd = command("stock.reserve", org=org, sku=self.sku(),
                          qty=str(self.rng.randint(1, 9)))
            if self.rng.random() < 0.3:
                cmd["expires_at"] = rfc3339(self.rng.uniform(0.3, 6))
            self.reserved.append((org, cmd["id"]))
            return cmd
        org, name = self.rng.choice(self.reserved[-200:])
        if self.rng.random() < 0.5:
            return command("reservation.release", org=org, reservation=name)
        cmd = command("reservation.commit", org=org, reservation=name)
        if self.rng.random() < 0.5:
            cmd["qty"] = str(self.rng.randint(1, 9))
        return cmd

    def record(self):
        """One (key, value)."""
        r = self.rng.random()
        if r < 0.01:
            return "acme/x", self.rng.choice(
                ("{", "[]", '{"id":1}', "null", '{"org":"acme"}',
                 json.dumps(self.money("acme"))[:-self.rng.randint(1, 60)],
                 json.dumps(command("group", ref="\0"))))
        if r < 0.06 and self.recent:
            return self.rng.choice(self.recent)
        if r < 0.08 and self.recent:
            key, value = self.rng.choice(self.recent)
            again = json.loads(value)
            again["actor"] = "somebody else"
            return key, json.dumps(again)
        org = self.rng.choice(ORGS)
        if r < 0.09:
            cmd = command("account.open", org=org, asset="USD",
                          account=self.rng.choice(ACCOUNTS))
        elif r < 0.55:
            cmd = self.money(org)
        else:
            cmd = self.stock(org)
        if self.rng.random() < 0.03:
            cmd["dry_run"] = True
        pair = (owner(cmd), json.dumps(cmd))
        self.recent = self.recent[-400:] + [pair]
        return pair

    def records(self, count):
        return [self.record() for _ in range(count)]


