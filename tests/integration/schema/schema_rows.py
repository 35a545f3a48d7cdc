"""Rows of one organisation in every table that can hold some, written by SQL.

The books they make are right: balances are sums of postings, held is what
holds, positions and settlements say, so that every check is silent on them.
"""

import hashlib
import json
import uuid

from harness.wait import until


def uuid7(at_ms, name):
    """A UUIDv7 of that time, the rest from a name."""
    rest = hashlib.sha256(name.encode()).digest()
    raw = bytearray(at_ms.to_bytes(6, "big") + rest[:10])
    raw[6] = raw[6] & 0x0F | 0x70
    raw[8] = raw[8] & 0x3F | 0x80
    return uuid.UUID(bytes=bytes(raw))


def past_is_over(db, snapshot):
    """What ran when a snapshot was taken has ended: in another database
    (autovacuum) too, which no test can know of."""
    def over():
        with db.cursor() as cur:
            cur.execute("SELECT pg_snapshot_xmin(pg_current_snapshot()) > xid "
                        "FROM ch.snapshots WHERE snapshot_id = %s",
                        (snapshot,))
            return cur.fetchone()[0]
    until(over, 60, f"what ran beside snapshot {snapshot} has ended")


class Rows:
    """An organisation, one stream, and a hand that writes commands."""

    def __init__(self, db, org, topic="t.commands", part=0):
        self.db, self.org = db, org
        self.one("INSERT INTO orgs (name) VALUES (%s) ON CONFLICT (name) "
                 "DO NOTHING RETURNING org_id", org)
        self.org_id = self.one("SELECT org_id FROM orgs WHERE name = %s", org)
        self.sql("INSERT INTO consumer_partitions (topic, part) VALUES "
                 "(%s, %s) ON CONFLICT DO NOTHING", topic, part)
        self.stream = self.one("SELECT stream FROM consumer_partitions WHERE "
                               "topic = %s AND part = %s", topic, part)
        self.accounts = {}

    def sql(self, text, *args):
        with self.db.cursor() as cur:
            cur.execute(text, args or None)
            return cur.fetchall() if cur.description else []

    def one(self, text, *args):
        rows = self.sql(text, *args)
        return rows[0][0] if rows else None

    def put(self, table, **row):
        names = ", ".join(f'"{n}"' for n in row)
        self.sql(f"INSERT INTO {table} ({names}) VALUES "
                 f"({', '.join(['%s'] * len(row))})", *row.values())

    def at(self, seconds=0):
        return self.one("SELECT now() + make_interval(secs => %s)", seconds)

    # ---- money

    def account(self, name, asset="USD", scale=2, floor=None, shards=0):
        number = self.one("SELECT nextval('account_seq')")
        self.sql("INSERT INTO assets VALUES (%s, %s, %s) ON CONFLICT "
                 "DO NOTHING", self.org_id, asset, scale)
        self.put("accounts", org_id=self.org_id, account_id=number, name=name,
                 asset=asset, scale=scale, shards=shards)
        for shard in range(max(shards, 1)):
            self.put("balances", org_id=self.org_id, account_id=number,
                     shard=shard, floor=floor, last_at="epoch")
        self.accounts[name] = number
        return number

    def logged(self, type_, batch, pos, at, ref=None, status="applied",
               source="kafka", command=None, ident=None):
        """A row of command_log; returns the command's id."""
        seq = self.one("UPDATE consumer_partitions SET next_offset = "
                       "next_offset + 1, next_log_seq = next_log_seq + 1, "
                       "last_at = greatest(last_at, %s) WHERE stream = %s "
                       "RETURNING next_log_seq - 1", at, self.stream)
        ident = ident or uuid7(int(at.timestamp() * 1000),
                               f"{self.org}/{batch}/{pos}")
        body = {"id": str(ident), "org": self.org, "type": type_,
                **(command or {})}
        self.put("command_log", org_id=self.org_id, id=str(ident),
                 day=at.date(), stream=self.stream, log_seq=seq, batch=batch,
                 pos=pos, source=source, src_offset=None if source == "timer"
                 else seq - 1, decided_at=at, type=type_, status=status,
                 payload_hash=hashlib.sha256(ident.bytes).digest(),
                 command=json.dumps(body).encode(), ref=ref,
                 result=json.dumps({"id": str(ident), "org": self.org,
                                    "status": status}))
        return ident

    def post(self, moves, at=None, ref=None, type_="transfer.post"):
        """One command in a batch of its own. moves: (from, to, amount) by
        name; (name, shard) names a shard. Returns the command's id."""
        at = at or self.at()
        # the fence comes first: the xid is older than the number
        self.sql("UPDATE consumer_partitions SET next_offset = next_offset "
                 "WHERE stream = %s", self.stream)
        batch = self.one("SELECT nextval('batch_seq')")
        ident = self.logged(type_, batch, 0, at, ref, command={"moves": [
            {"from": p[0] if isinstance(p, tuple) else p,
             "to": q[0] if isinstance(q, tuple) else q, "amount": str(n)}
            for p, q, n in moves]})
        leg = 0
        for payer, payee, amount in moves:
            for name, change in ((payer, -amount), (payee, amount)):
                name, shard = name if isinstance(name, tuple) else (name, 0)
                self.sql(
                    "WITH b AS (UPDATE balances SET balance = balance + %s, "
                    "version = version + 1, last_at = %s WHERE org_id = %s "
                    "AND account_id = %s AND shard = %s RETURNING balance) "
                    "INSERT INTO postings SELECT %s, %s, %s, 0, %s, %s, %s, "
                    "balance, %s, %s FROM b", change, at, self.org_id,
                    self.accounts[name], shard, self.org_id,
                    self.accounts[name], batch, leg, shard, change,
                    str(ident), at)
                leg += 1
        return ident

    def held(self, name, change):
        self.sql("UPDATE balances SET held = held + %s, version = version + 1 "
                 "WHERE org_id = %s AND account_id = %s", change, self.org_id,
                 self.accounts[name])

    def hold(self, name, account, amount, state="held", captured=0):
        self.put("holds", org_id=self.org_id, hold_id=self.one(
            "SELECT nextval('hold_seq')"), account_id=self.accounts[account],
            name=name, amount=amount, state=state, captured=captured,
            stream=self.stream, last_at=self.at())
        if state == "held":
            self.held(account, amount)

    # ---- stock, orders, markets

    def sku(self, name, on_hand=10):
        number = self.one("SELECT nextval('sku_seq')")
        self.put("skus", org_id=self.org_id, sku_id=number, name=name)
        self.put("stock", org_id=self.org_id, sku_id=number, on_hand=on_hand,
                 last_at=self.at())
        return number

    def reserve(self, sku_id, name, qty, state="reserved"):
        self.put("reservations", org_id=self.org_id, reservation_id=self.one(
            "SELECT nextval('reservation_seq')"), sku_id=sku_id, name=name,
            qty=qty, state=state, stream=self.stream, last_at=self.at())
        if state == "reserved":
            self.sql("UPDATE stock SET reserved = reserved + %s WHERE "
                     "org_id = %s AND sku_id = %s", qty, self.org_id, sku_id)

    def order(self, name, qty=1000, fills=()):
        number = self.one("SELECT nextval('order_seq')")
        filled = sum(q for _, q in fills)
        self.put("orders", org_id=self.org_id, order_id=number, name=name,
                 market="m", side="BUY", qty=qty, filled=filled,
                 state="partial" if filled else "placed", version=1,
                 last_at=self.at())
        for fill, q in fills:
            self.put("order_fills", org_id=self.org_id, order_id=number,
                     fill=fill, qty=q, command_id=str(uuid.uuid4()),
                     decided_at=self.at())
        return number

    def market(self, name, state="open", payer=None, reserved=0, paid=0,
               unpaid=0, holders=0):
        number = self.one("SELECT nextval('market_seq')")
        self.put("ledger_markets", org_id=self.org_id, market_id=number,
                 name=name, asset="USD", state=state, payouts="{}",
                 payer_id=payer and self.accounts[payer], reserved=reserved,
                 paid=paid, unpaid=unpaid, holders=holders, version=1,
                 last_at=self.at())
        if state == "settling":
            self.held(payer, reserved - paid - unpaid)
        return number

    def position(self, account, market_id, outcome, qty, lock=0, paid=None):
        self.put("positions", org_id=self.org_id, position_id=self.one(
            "SELECT nextval('position_seq')"), market_id=market_id,
            account_id=self.accounts[account], outcome=outcome, qty=qty,
            lock=lock, paid=paid, version=1, last_at=self.at())
        self.held(account, lock)

    def answer(self, at=None, org_id="ours", ident="x"):
        at = at or self.at()
        seq = self.one("UPDATE consumer_partitions SET next_log_seq = "
                       "next_log_seq + 1 WHERE stream = %s RETURNING "
                       "next_log_seq - 1", self.stream)
        self.put("answers", stream=self.stream, log_seq=seq,
                 batch=self.one("SELECT nextval('batch_seq')"), pos=0,
                 decided_at=at, org_id=self.org_id if org_id == "ours"
                 else org_id, id_text=ident, status="rate_limited",
                 result=json.dumps({"org": self.org}))
        return seq

    def letter(self, at=None):
        """A row of rejected; returns its letter's id."""
        at = at or self.at()
        seq = self.one("UPDATE consumer_partitions SET next_log_seq = "
                       "next_log_seq + 1 WHERE stream = %s RETURNING "
                       "next_log_seq - 1", self.stream)
        ident = str(uuid.uuid4())
        self.put("rejected", stream=self.stream, log_seq=seq,
                 batch=self.one("SELECT nextval('batch_seq')"), pos=0,
                 letter_id=ident, decided_at=at, topic="t.commands", part=0,
                 src_offset=seq, value=self.org.encode(),
                 error_class="invalid", reason="no json")
        return ident

    # ---- all of it

    def everything(self):
        """At least one row in every table that can hold an organisation's."""
        self.account("bank")
        self.account("user", floor=0)
        self.account("fees", shards=2)
        self.transfer = self.post([("bank", "user", 10000)], ref="first")
        self.post([("user", ("fees", 1), 250)], ref="second")
        self.put("reversals", org_id=self.org_id, member=-1, batch=1,
                 transfer_id=str(uuid.uuid4()), decided_at=self.at(),
                 reversed_by=str(self.transfer))
        self.hold("h1", "user", 300)
        self.hold("h2", "user", 100, state="captured", captured=40)
        sku = self.sku("widget")
        self.reserve(sku, "r1", 3)
        self.reserve(sku, "r2", 1, state="released")
        self.order("o1", fills=[("f1", 10), ("f2", 15)])
        market = self.market("m")
        self.position("user", market, "yes", 5, lock=200)
        settling = self.market("s", "settling", "bank", reserved=1000,
                               paid=400, unpaid=100, holders=1)
        self.position("user", settling, "no", 4, paid=400)
        self.put("own_trades", org_id=self.org_id, tx="tx1", outcome="yes",
                 account_id=self.accounts["user"], market_id=market,
                 side="BUY", position=5, lock=200, state="recorded",
                 recorded_by=str(uuid.uuid4()), recorded_at=self.at())
        self.answer()
        self.letter()
        self.put("outbox", seq=self.one("SELECT nextval('batch_seq')") << 20,
                 id=str(uuid.uuid4()), aggregatetype="stock",
                 aggregateid=f"{self.org}/widget", type="stock.received",
                 payload=json.dumps({"org": self.org}), created_at=self.at())
        rule = self.one("INSERT INTO rate_rules (name, org_id, scope, types, "
                        "most, window_us, number) VALUES (%s, %s, 'org', "
                        "'{transfer.post}', 10, 60000000, 1) RETURNING "
                        "rule_id", f"rule of {self.org}", self.org_id)
        self.put("rate_windows", org_id=self.org_id, rule_id=rule,
                 subject="0", stamps=[1], last_at=self.at())
        self.put("pauses", scope=self.org, types=["pool.deploy"],
                 reason="seed", actor="t", number=1, paused_at=self.at(),
                 cooldown_until=self.at())
        self.put("breaks", break_key=f"balances/{self.org}/seed",
                 check_name="balances", org=self.org, subject="seed",
                 expected=0, found=1, difference=1)
        self.put("ledger_buckets", gen=0, org_id=self.org_id, account_id=1,
                 shard=0, posted=0, n=0)
        self.put("sealed_postings", org_id=self.org_id, shard=0,
                 account_id=self.accounts["bank"], posted=0, n=0, through=self.at())
        self.put("audit_events", actor="t", action="seed", subject=self.org,
                 reason=self.org)
        self.put("dead_letters", letter_id=str(uuid.uuid4()),
                 source="command_log", row_id=f"{self.stream}-1", topic="t",
                 value=self.org.encode(), error_class="x", reason="x",
                 attempts=1, blocks_key=True)
        self.put("foreign_letters", letter_id=str(uuid.uuid4()),
                 log_id=str(uuid.uuid4()), dlq_topic="t", dlq_part=0,
                 dlq_offset=0, dialect="unknown", topic="",
                 value=self.org.encode(), header_names=[], header_values=[],
                 error_class="x", reason="x", attempts=1, at=self.at(),
                 imported_by="t")
        self.put("outbox_retry", blocked_by=str(uuid.uuid4()),
                 source="outbox", row_id=uuid.uuid4().hex, topic="t",
                 value=self.org.encode())
        return self
