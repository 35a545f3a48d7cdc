"""Books written by SQL as the writer's protocol says, so that a test may hold
a transaction open, commit out of order, or break what it likes.

A batch: the fence moves first (so the transaction has an xid), then the number
is drawn, then postings, balances and log rows are written, then next_log_seq.
"""

import hashlib
import random
import uuid

CHECKS = ("transfers", "balances", "floors", "held", "stock", "orders",
          "markets", "log_seq")


class Books:
    """One organisation's accounts and one stream, on one connection that can
    stand in a transaction."""

    def __init__(self, connection, org="acme", stream_topic="t.commands",
                 part=0):
        self.db = connection
        self.org = org
        self.topic, self.part = stream_topic, part
        with connection.cursor() as cur:
            cur.execute("INSERT INTO orgs (name) VALUES (%s) ON CONFLICT "
                        "(name) DO NOTHING", (org,))
            cur.execute("SELECT org_id FROM orgs WHERE name = %s", (org,))
            self.org_id = cur.fetchone()[0]
            cur.execute("INSERT INTO consumer_partitions (topic, part) VALUES "
                        "(%s, %s) ON CONFLICT DO NOTHING", (self.topic, part))
            cur.execute("SELECT stream FROM consumer_partitions WHERE "
                        "topic = %s AND part = %s", (self.topic, part))
            self.stream = cur.fetchone()[0]

    def sql(self, text, args=()):
        with self.db.cursor() as cur:
            cur.execute(text, args)
            return cur.fetchall() if cur.description else []

    def account(self, name, asset="USD", floor=None):
        (account_id,), = self.sql("SELECT nextval('account_seq')")
        self.sql("INSERT INTO accounts VALUES (%s, %s, %s, %s, 2)",
                 (self.org_id, account_id, name, asset))
        self.sql("INSERT INTO balances (org_id, account_id, floor, last_at) "
                 "VALUES (%s, %s, %s, now())",
                 (self.org_id, account_id, floor))
        return account_id

    def sku(self, name, on_hand=100, reserved=0):
        (sku_id,), = self.sql("SELECT nextval('sku_seq')")
        self.sql("INSERT INTO skus VALUES (%s, %s, %s)",
                 (self.org_id, sku_id, name))
        self.sql("INSERT INTO stock (org_id, sku_id, on_hand, reserved, "
                 "last_at) VALUES (%s, %s, %s, %s, now())",
                 (self.org_id, sku_id, on_hand, reserved))
        return sku_id

    def reserve(self, sku_id, qty, state="reserved"):
        self.sql("INSERT INTO reservations (org_id, reservation_id, sku_id, "
                 "name, qty, state, stream, last_at) VALUES (%s, "
                 "nextval('reservation_seq'), %s, %s, %s, %s, %s, now())",
                 (self.org_id, sku_id, uuid.uuid4().hex, qty, state,
                  self.stream))

    def begin(self):
        """The fence and the number: returns the batch."""
        self.sql("BEGIN")
        self.sql("UPDATE consumer_partitions SET next_offset = next_offset + 1"
                 " WHERE stream = %s", (self.stream,))
        (batch,), = self.sql("SELECT nextval('batch_seq')")
        return batch

    def write(self, batch, moves):
        """moves: (from, to, amount) by account id; one command each."""
        for pos, (payer, payee, amount) in enumerate(moves):
            command = uuid.uuid4()
            for leg, (account, change) in enumerate(((payer, -amount),
                                                     (payee, amount))):
                self.sql(
                    "WITH b AS (UPDATE balances SET balance = balance + %s, "
                    "version = version + 1, last_at = now() WHERE org_id = %s "
                    "AND account_id = %s RETURNING balance) INSERT INTO "
                    "postings SELECT %s, %s, %s, %s, %s, 0, %s, balance, %s, "
                    "clock_timestamp() FROM b",
                    (change, self.org_id, account, self.org_id, account,
                     batch, pos, leg, change, str(command)))
            self.log(batch, pos, command)

    def log(self, batch, pos, command=None, table="command_log"):
        """One row of the log, numbered."""
        (seq,), = self.sql(
            "UPDATE consumer_partitions SET next_log_seq = next_log_seq + 1 "
            "WHERE stream = %s RETURNING next_log_seq - 1", (self.stream,))
        self.log_at(seq, batch, pos, command, table)
        return seq

    def log_at(self, seq, batch, pos, command=None, table="command_log"):
        command = str(command or uuid.uuid4())
        if table == "command_log":
            self.sql("INSERT INTO command_log (org_id, id, day, stream, "
                     "log_seq, batch, pos, source, decided_at, type, status, "
                     "payload_hash, command, result) VALUES (%s, %s, "
                     "(now() AT TIME ZONE 'UTC')::date, %s, %s, %s, %s, "
                     "'kafka', clock_timestamp(), 'transfer.post', 'applied', "
                     "%s, '', '{}')",
                     (self.org_id, command, self.stream, seq, batch, pos,
                      hashlib.sha256(command.encode()).digest()))
        else:
            self.sql("INSERT INTO answers (stream, log_seq, batch, pos, "
                     "decided_at, id_text, status, result) VALUES (%s, %s, "
                     "%s, %s, clock_timestamp(), %s, 'duplicate', '{}')",
                     (self.stream, seq, batch, pos, command))

    def post(self, *moves):
        """A whole batch."""
        batch = self.begin()
        self.write(batch, moves)
        self.sql("COMMIT")
        return batch

    def trade(self, accounts, seed, batches, size=4):
        """Random batches, each moving money among accounts."""
        rng = random.Random(seed)
        for _ in range(batches):
            picked = [(*rng.sample(accounts, 2), rng.randint(1, 500))
                      for _ in range(size)]
            self.post(*picked)


def open_breaks(db):
    """Keys of the open breaks."""
    with db.cursor() as cur:
        cur.execute("SELECT break_key FROM breaks WHERE state = 'open' "
                    "ORDER BY 1")
        return [key for (key,) in cur.fetchall()]


def views(db):
    """Keys that the views show, by hand as an operator would."""
    with db.cursor() as cur:
        found = []
        for check in CHECKS:
            cur.execute(f"SELECT break_key FROM check_{check}")
            found += [key for (key,) in cur.fetchall()]
        return sorted(found)


def one(db, text, args=()):
    with db.cursor() as cur:
        cur.execute(text, args)
        row = cur.fetchone()
        return row[0] if row and len(row) == 1 else row


def alerts(db, key=None):
    """(type, payload) of what was told about a break, in order."""
    with db.cursor() as cur:
        cur.execute("SELECT type, payload::jsonb FROM outbox WHERE "
                    "aggregatetype = 'fleet.alerts' AND (%s IS NULL OR "
                    "aggregateid = %s) ORDER BY seq", (key, key))
        return cur.fetchall()
