"""Commands whose rows of one table are so many that they go by COPY, each with
names of its own; beside them those of every type (ledger_random_every)."""

import json

from ledger_kit import command, owner, rfc3339
from ledger_random_every import STAKES, Every

TABLES = ["assets", "accounts", "balances", "skus", "stock", "holds",
          "reservations", "reversals", "orders", "order_fills",
          "ledger_markets", "positions", "own_trades", "rate_windows",
          "command_log", "answers", "rejected", "postings", "outbox"]
MANY = 150  # far above rowset.h's ROWSET_COPY_FROM


class Families(Every):
    def __init__(self, seed):
        super().__init__(seed)
        self.made = 0

    def setup(self):
        yield from super().setup()
        yield [command("stock.receive", sku="plenty", qty="1000000")]

    def rows_of(self, table):
        """Records that give the table many rows."""
        return [record for _ in range(MANY)
                for record in getattr(self, f"of_{table}")(self.name())]

    def name(self):
        self.made += 1
        return f"x{self.made}"

    def soon(self):
        """Some run out while others look."""
        if self.rng.random() < 0.5:
            return {}
        return {"expires_at": rfc3339(self.rng.uniform(0.5, 4))}

    @staticmethod
    def record_of(type_, key=None, **fields):
        cmd = command(type_, **fields)
        return key or owner(cmd), json.dumps(cmd)

    def of_assets(self, name):
        return [self.record_of("asset.define", asset=name, scale=2)]

    def of_accounts(self, name):
        return [self.record_of("account.open", account=name, asset="USD")]

    of_balances = of_accounts

    def of_skus(self, name):
        return [self.record_of("stock.receive", sku=name, qty="5")]

    of_stock = of_outbox = of_skus

    def of_holds(self, name):
        return [self.record_of("hold.place", hold=name, amount="0.01",
                               **{"from": "house"}, **self.soon())]

    def of_reservations(self, name):
        """Each by somebody else, so that a rule about actors refuses none."""
        return [self.record_of("stock.reserve", sku="plenty", qty="1",
                               reservation=name, actor=name, **self.soon())]

    def of_reversals(self, name):
        post = command("transfer.post", moves=[
            {"from": "house", "to": "bank", "amount": "0.01"}])
        return [("acme/house", json.dumps(post)), self.record_of(
            "transfer.reverse", key="acme/house", transfer=post["id"])]

    def of_orders(self, name):
        return [self.record_of("order.place", order=name, market="m",
                               side="BUY", qty="10")]

    def of_order_fills(self, name):
        return self.of_orders(name) + [self.record_of(
            "order.fill", order=name, fill="f", qty="1", price="0.5")]

    def of_ledger_markets(self, name):
        return [self.record_of("pool.deploy", market=name, address="0x1")]

    def of_positions(self, name):
        return [self.record_of(
            "trade.record", account=self.rng.choice(STAKES), market=name,
            outcome="YES", side="BUY", tx=name, position="1", lock="0")]

    of_own_trades = of_positions

    def of_rate_windows(self, name):
        return [self.record_of("stock.reserve", sku="plenty", qty="1",
                               reservation=f"{name}.{actor}", actor=actor)
                for actor in (name, "clerk")]

    def of_postings(self, name):
        return [self.record_of("transfer.post", moves=[
            {"from": "house", "to": "bank", "amount": "0.01"}])]

    of_command_log = of_postings

    def of_answers(self, name):
        if name.endswith("0") or not hasattr(self, "repeated"):
            self.repeated = self.of_postings(name)
        return self.repeated

    def of_rejected(self, name):
        return [("acme/x", '{"id":"' + name)]
