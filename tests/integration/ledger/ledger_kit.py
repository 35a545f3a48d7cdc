"""What the ledger's tests share: commands, the writer's topics, and its rows."""

import datetime
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import time
import uuid

from harness.wait import until

HERE = pathlib.Path(__file__).resolve().parent
# seconds: below the group's smallest session timeout nothing is taken over
SESSION = "6s"


ahead = 0.0  # seconds that a test's clock is before ours


def now():
    """The time by the test's clock."""
    return time.time() + ahead


def v7(ms=None):
    """A UUIDv7 of that time."""
    ms = int(now() * 1000) if ms is None else ms
    raw = bytearray(ms.to_bytes(6, "big") + os.urandom(10))
    raw[6] = 0x70 | raw[6] & 15
    raw[8] = 0x80 | raw[8] & 63
    return str(uuid.UUID(bytes=bytes(raw)))


def rfc3339(seconds_from_now):
    at = datetime.datetime.fromtimestamp(now() + seconds_from_now,
                                         datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def command(type_, org="acme", id_=None, **fields):
    return {"id": id_ or v7(), "org": org, "type": type_, **fields}


def transfer(frm, to, amount, **fields):
    return command("transfer.post", moves=[
        {"from": frm, "to": to, "amount": amount}], **fields)


def public_trade(n, seconds=0, **fields):
    """A record of market.trades, traded so many seconds from now."""
    body = {
        "trade_id": hashlib.sha256(str(n).encode()).hexdigest(),
        "condition_id": "0x" + f"{n % 7:064x}", "asset": "9" * 78,
        "wallet": "0x" + f"{n:040x}", "side": "BUY" if n % 2 else "SELL",
        "price": "0.57", "size": "1234.567891", "outcome": "Yes",
        "outcome_index": 0, "tx_hash": "0x" + f"{n:064x}",
        "traded_at": rfc3339(seconds), "sent_at": rfc3339(seconds),
        "source": "trades", "title": "t", "slug": "s", **fields}
    return body["condition_id"], json.dumps(body)


def owner(cmd):
    """The key to choose: the owner that can be refused."""
    body = cmd["commands"][0] if cmd["type"] == "group" else cmd
    if body["type"] == "transfer.post":
        name = body["moves"][0]["from"]
    else:
        name = next(body[field] for field in (
            "sku", "account", "from", "asset", "reservation", "hold", "order",
            "transfer", "market") if field in body)
    return f"{cmd['org']}/{name}"


def clock_shim(path, **variables):
    """The environment of a process whose clock skewed_clock.c moves."""
    shim = path / "clock.so"
    subprocess.run(["gcc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o",
                    str(shim), str(HERE / "skewed_clock.c"), "-ldl"],
                   check=True)
    # a build with BUILD=asan takes any order
    asan = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    return {"LD_PRELOAD": str(shim), "ASAN_OPTIONS": asan, **variables}


def refuse(ledger, event, when, code="raise_exception"):
    """A trigger that no rule of ours knows, on one row."""
    ledger.db.cursor().execute(f"""
        CREATE FUNCTION refuse_it() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'not this row' USING ERRCODE = '{code}';
            END $$;
        CREATE TRIGGER refuse_it BEFORE {event} FOR EACH ROW
            WHEN ({when}) EXECUTE FUNCTION refuse_it()""")


def peak(writer):
    """The most memory that it has had, in MiB."""
    for line in open(f"/proc/{writer.pid}/status", encoding="ascii"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    raise AssertionError(f"no VmHWM of {writer.pid}")


class Ledger:
    """One commands topic, one database, and writers on them."""

    def __init__(self, cell, kafka, db, database, daemons, partitions=4):
        self.cell, self.kafka, self.db = cell, kafka, db
        self.database, self.daemons = database, daemons
        self.topic = kafka.unique("ledger.commands")
        self.trades = kafka.unique("market.trades")
        self.fills = kafka.unique("market.fills")
        self.group = kafka.unique("ledger-writer")
        self.partitions = partitions
        kafka.create(self.topic, self.trades, self.fills,
                     partitions=partitions)

    @classmethod
    def on(cls, server, kafka, daemons, **options):
        """A ledger in a new database there."""
        name = server.fresh_database(**options)
        return cls(server, kafka, server.connect("owner", name), name, daemons)

    def writer(self, **flags):
        given = {
            "bootstrap": self.kafka.bootstrap,
            "database_url": self.cell.url("writer", self.database),
            "group": self.group, "commands_topics": self.topic,
            "trades_topics": self.trades,
            "fills_topics": self.fills, "session_timeout": SESSION,
            "sweep_every": "200ms", **flags}
        return self.daemons("ledger-writer", **given)

    def writers(self, *each):
        """Writers that share the topic's partitions evenly, each with its
        flags. (With other topics one might get all of those.)"""
        made = [self.writer(**{"client_id": f"w{i}", "trades_topics": "",
                               "fills_topics": "", **flags})
                for i, flags in enumerate(each)]
        until(lambda: [n for _, n in self.rows(
            "SELECT owner, count(*) FROM consumer_partitions WHERE topic = %s "
            "GROUP BY 1", self.topic)] == [self.partitions // len(made)]
            * len(made), 60, "the partitions are shared")
        return made

    def send(self, *commands, partition=None):
        """Produces, each under its owner's key; a tuple is (key, value)."""
        records = [c if isinstance(c, tuple) else (owner(c), json.dumps(c))
                   for c in commands]
        self.kafka.produce(self.topic, records, partition)
        return commands

    def at_once(self, writers, *pieces):
        """Sends (partition, commands) while the writers are stopped, so that
        all of them find all of it at the same time."""
        for writer in writers:
            writer.signal(signal.SIGSTOP)
        for part, cmds in pieces:
            self.send(*cmds, partition=part)
        for writer in writers:
            writer.signal(signal.SIGCONT)

    def rows(self, sql, *args):
        with self.db.cursor() as cur:
            cur.execute(sql, args)
            return cur.fetchall()

    def value(self, sql, *args):
        return self.rows(sql, *args)[0][0]

    def answers_of(self, id_):
        """Every stored answer of an id, in the order of decision."""
        rows = self.rows(
            "SELECT batch, pos, result FROM command_log WHERE id::text = %s "
            "UNION ALL SELECT batch, pos, result FROM answers "
            "WHERE id_text = %s ORDER BY 1, 2", id_, id_)
        return [json.loads(r[2]) for r in rows]

    def answer(self, cmd, seconds=60):
        """The first answer of a command, once it is there."""
        id_ = cmd["id"]
        return until(lambda: self.answers_of(id_), seconds,
                     f"answer of {id_}")[0]

    def do(self, cmd):
        self.send(cmd)
        return self.answer(cmd)

    def consumed(self, topic=None):
        """Records of the topic that are committed."""
        return self.value("SELECT coalesce(sum(next_offset), 0)::int8 FROM "
                          "consumer_partitions WHERE topic = %s",
                          topic or self.topic)

    def wait_consumed(self, count, seconds=60, topic=None):
        until(lambda: self.consumed(topic) >= count, seconds,
              f"{count} records consumed")

    def open_books(self):
        """An asset, a house account without a floor, one with, one SKU."""
        for cmds in ([command("asset.define", asset="USD", scale=2)],
                     [command("account.open", account="house", asset="USD",
                              floor=None),
                      command("account.open", account="a", asset="USD"),
                      command("account.open", account="b", asset="USD"),
                      command("stock.receive", sku="s", qty="100")]):
            self.send(*cmds)
            for cmd in cmds:
                assert self.answer(cmd)["status"] == "applied"

    def check_books(self):
        """What must hold whatever happened (schema: check_* views)."""
        views = [r[0] for r in self.rows(
            "SELECT relname FROM pg_class WHERE relkind = 'v' AND "
            "relnamespace = 'ch'::regnamespace "
            "AND starts_with(relname, 'check_')")]
        assert len(views) >= 8, views
        for view in views:
            assert self.rows(f"SELECT * FROM {view}") == [], view
        self.check_numbers()

    def check_numbers(self):
        """log_seq has no gap and no repetition in any stream."""
        assert self.rows(
            "SELECT c.stream, c.next_log_seq, count(l.log_seq), "
            "max(l.log_seq) FROM consumer_partitions c LEFT JOIN ("
            "SELECT stream, log_seq FROM command_log UNION ALL "
            "SELECT stream, log_seq FROM answers UNION ALL "
            "SELECT stream, log_seq FROM rejected) l USING (stream) "
            "GROUP BY c.stream, c.next_log_seq "
            "HAVING c.next_log_seq <> count(DISTINCT l.log_seq) + 1 "
            "OR count(l.log_seq) <> count(DISTINCT l.log_seq)") == []
