"""Commands of every type from a seed: what ledger_random makes, and holds,
reversals, groups, orders, trades, pools, settlements, limits and closings."""

import json

from ledger_kit import command, owner, rfc3339
from ledger_random import ACCOUNTS, Load, ORGS

OUTCOMES = ("YES", "NO", "MAYBE")
STAKES = [f"stake{i}" for i in range(8)]


class Every(Load):
    def __init__(self, seed):
        super().__init__(seed)
        self.holds, self.orders = [], []    # (org, name)
        self.transfers, self.trades = [], []
        self.market, self.tx, self.tmp = 0, 0, 0

    def setup(self):
        yield from super().setup()
        yield [command("account.open", org=o, account=a, asset="USD", **more)
               for o in ORGS for a, more in (
                   *((s, {}) for s in STAKES), ("bank", {}),
                   ("shards", {"floor": None, "shards": 3}))]
        yield [command("transfer.post", org=o, moves=[
                   {"from": "house", "to": a, "amount": amount}])
               for o in ORGS for a, amount in (
                   *((s, "500.00") for s in STAKES), ("bank", "100000.00"))]

    def pick(self, list_):
        return self.rng.choice(list_[-100:]) if list_ else (
            self.rng.choice(ORGS), "nothing")

    def payer(self):
        r = self.rng.random()
        if r < 0.05:
            return "shards"
        return self.rng.choice(STAKES) if r < 0.3 else self.account()

    # Each returns a body without id and org, and perhaps another org's name.

    def hold(self, org, name):
        roll = self.rng.random()
        if roll < 0.5:
            body = {"type": "hold.place", "from": self.payer(),
                    "amount": self.amount()}
            if self.rng.random() < 0.7:
                body["expires_at"] = rfc3339(self.rng.uniform(-0.1, 4))
            self.holds.append((org, name))
            return org, body
        org, name = self.pick(self.holds)
        if roll < 0.6:
            return org, {"type": "hold.void", "hold": name}
        body = {"type": "hold.capture", "hold": name, "to": self.payer()}
        if self.rng.random() < 0.5:
            body["amount"] = self.amount()
        return org, body

    def reversal(self, org, name):
        org, name = self.pick(self.transfers)
        return org, {"type": "transfer.reverse", "transfer": name}

    def adjust(self, org, name):
        return org, {"type": "stock.adjust", "sku": self.sku(),
                     "delta": str(self.rng.choice((-1, 1))
                                  * self.rng.randint(1, 20))}

    def limit(self, org, name):
        floor = self.rng.choice((None, "0", "-50", "-100.00", "20"))
        return org, {"type": "account.limit", "floor": floor,
                     "account": self.rng.choice(ACCOUNTS)}

    def short_life(self, org, name):
        self.tmp += self.rng.random() < 0.5
        account = f"tmp{self.tmp}"
        if self.rng.random() < 0.6:
            return org, {"type": "account.open", "account": account,
                         "asset": "USD"}
        return org, {"type": "account.close", "account": account}

    def order(self, org, name):
        if self.rng.random() < 0.35:
            self.orders.append((org, name))
            return org, {"type": "order.place", "market": self.any_market(),
                         "side": "BUY", "qty": str(self.rng.randint(5, 12))}
        org, name = self.pick(self.orders)
        kind = self.rng.choice(("fill", "fill", "fill", "accept", "cancel",
                                "lost"))
        body = {"type": f"order.{kind}", "order": name}
        if kind == "fill":
            n = self.rng.randint(1, 5)
            body |= {"fill": f"f{n}", "qty": str(n), "price": "0.62"}
        return org, body

    def any_market(self):
        return f"m{self.market + self.rng.randint(-2, 3)}"

    def trade(self, org, name):
        if self.rng.random() < 0.2 and self.trades:
            return self.rng.choice(self.trades[-100:])
        self.tx += 1
        body = {"type": "trade.record", "account": self.rng.choice(STAKES),
                "market": self.any_market(),
                "outcome": self.rng.choice(OUTCOMES), "side": "BUY",
                "tx": f"tx{self.tx}",
                "position": f"{self.rng.uniform(0, 20):.3f}",
                "lock": f"{self.rng.uniform(0, 20):.2f}"}
        if self.rng.random() < 0.3:
            body["skim"] = {"amount": f"{self.rng.uniform(0.01, 3):.2f}",
                            "to": "house"}
        self.trades.append((org, body))
        return org, body

    def deploy(self, org, name):
        return org, {"type": "pool.deploy", "market": self.any_market(),
                     "address": f"0x{self.rng.randrange(1 << 16):04x}"}

    def settle(self, org, name):
        self.market += self.rng.random() < 0.3
        return org, {"type": "market.settle", "market": f"m{self.market}",
                     "from": self.rng.choice(("bank", "house", "stake0")),
                     "payouts": {o: self.rng.choice(("1", "0", "0.5", "0.333"))
                                 for o in OUTCOMES[:2]}}

    def post(self, org, name):
        cmd = self.money(org)
        self.transfers.append((org, name))
        return org, {"type": cmd["type"], "moves": cmd["moves"]}

    KINDS = (("post", 8), ("hold", 10), ("reversal", 3), ("adjust", 3),
             ("limit", 1), ("short_life", 2), ("order", 6), ("trade", 7),
             ("deploy", 1), ("settle", 1))

    def body(self, org, name, member):
        kinds = [k for k, n in self.KINDS for _ in range(n)
                 if not (member and k == "settle")]
        return getattr(self, self.rng.choice(kinds))(org, name)

    def every(self, org):
        cmd = command("", org=org)
        if self.rng.random() < 0.15:
            members = [self.body(org, f"{cmd['id']}/{i}", True)[1]
                       for i in range(self.rng.randint(1, 5))]
            return cmd | {"type": "group", "commands": members}
        org, body = self.body(org, cmd["id"], False)
        return cmd | {"org": org} | body

    def record(self):
        if self.rng.random() < 0.45:
            return super().record()
        cmd = self.every(self.rng.choice(ORGS))
        if self.rng.random() < 0.03:
            cmd["dry_run"] = True
        pair = (owner(cmd), json.dumps(cmd))
        self.recent = self.recent[-400:] + [pair]
        return pair
