"""What the relay's tests share: rows as the ledger-writer writes them, the
relay on a database, topics and slot of the test's own, and what came out."""

import json
import random
import subprocess
import uuid

from .cell import OUT
from .kafka import header, kcat_to_end
from .wait import until


def noise(size, seed=1):
    """JSON that does not compress below a topic's limit."""
    rng = random.Random(seed)
    return json.dumps("".join(chr(rng.randrange(48, 122))
                              for _ in range(size)))


def first_seen(cell, topic):
    """Ids by key, in the order of their first record."""
    seen = {}
    for r in cell.records(topic):
        ids = seen.setdefault(r["key"], [])
        if header(r, "id") not in ids:
            ids.append(header(r, "id"))
    return seen


def small_topic(cell):
    """Of events named "small": it refuses those of more than 20,000 bytes."""
    topic = cell.prefix + "small"
    cell.kafka.create(topic, config=["max.message.bytes=20000"])
    return topic


def result_id(stream, log_seq, text):
    """Header `id`: the row's place, and FNV-1a of its value."""
    digest = 0xcbf29ce484222325
    for byte in text.encode():
        digest = (digest ^ byte) * 0x100000001b3 % (1 << 64)
    return f"{stream}-{log_seq}-{digest:016x}"


class Cell:
    """Rows in, records out, of one test."""

    def __init__(self, cell, kafka, database, db):
        self.cell, self.kafka, self.database, self.db = (
            cell, kafka, database, db)
        tag = uuid.uuid4().hex[:8]
        self.slot = f"s{tag}"
        self.prefix = f"ev{tag}."
        self.results = f"results{tag}"
        self.commands = f"commands{tag}"
        self.stock = f"{self.prefix}stock"
        self.streams = {}
        self.log_seq = {}
        self.seq = 0
        self.sent = []  # (topic, key, id) in the order of each key

    def topics(self, *more):
        self.kafka.create(self.results, self.commands, self.stock,
                          f"{self.commands}.dlq", *more)

    def sql(self, text, args=()):
        with self.db.cursor() as cur:
            cur.execute(text, args)
            return cur.fetchall() if cur.description else None

    def flags(self, **more):
        return {"bootstrap": self.kafka.bootstrap,
                "database_url": self.cell.url("relay", self.database),
                "slot": self.slot, "results_topic": self.results,
                "outbox_prefix": self.prefix, "topic_wait": "1s", **more}

    # ---- rows

    def stream(self, part):
        if part not in self.streams:
            rows = self.sql(
                "INSERT INTO consumer_partitions (topic, part) "
                "VALUES (%s, %s) RETURNING stream", (self.commands, part))
            self.streams[part] = rows[0][0]
            self.log_seq[part] = 0
        return self.streams[part]

    def next_log(self, part):
        stream = self.stream(part)
        self.log_seq[part] += 1
        return stream, self.log_seq[part]

    def result(self, key, part=0, source="command_log", cur=None,
               traceparent=None):
        """One row of command_log or answers; its record's id."""
        stream, log_seq = self.next_log(part)
        text = json.dumps({"n": log_seq, "key": key})
        if source == "command_log":
            sql = ("INSERT INTO command_log (org_id, id, day, stream, "
                   "log_seq, batch, pos, source, src_offset, decided_at, "
                   "type, status, payload_hash, record_key, command, result, "
                   "traceparent) VALUES (1, gen_random_uuid(), "
                   "(now() AT TIME ZONE 'UTC')::date, %s, %s, 1, 1, 'kafka', "
                   "%s, now(), 't', 'applied', decode(repeat('00', 32), "
                   "'hex'), %s, '{}', %s, %s)")
            args = (stream, log_seq, log_seq, key.encode(), text, traceparent)
        else:
            sql = ("INSERT INTO answers (stream, log_seq, batch, pos, "
                   "src_offset, decided_at, id_text, status, record_key, "
                   "result, traceparent) "
                   "VALUES (%s, %s, 1, 1, %s, now(), 'x', 's', %s, %s, %s)")
            args = (stream, log_seq, log_seq, key.encode(), text, traceparent)
        self.run(cur, sql, args)
        row_id = result_id(stream, log_seq, text)
        self.sent.append((self.results, key, row_id))
        return row_id

    def event(self, key, kind="stock", payload=None, cur=None, topic=None,
              traceparent=None):
        self.seq += 1
        row_id = str(uuid.uuid4())
        if payload is None:
            payload = json.dumps({"v": self.seq})
        self.run(cur, "INSERT INTO outbox (seq, id, aggregatetype, "
                 "aggregateid, type, payload, created_at, traceparent) "
                 "VALUES (%s, %s, %s, %s, 'happened', %s, now(), %s)",
                 (self.seq, row_id, kind, key, payload, traceparent))
        self.sent.append((topic or self.prefix + kind, key, row_id))
        return row_id

    def rejected(self, part=0, key=b"k", value=b"\x00\xff", headers=(),
                 reason="not JSON"):
        stream, log_seq = self.next_log(part)
        letter = str(uuid.uuid4())
        self.run(None, "INSERT INTO rejected (stream, log_seq, batch, pos, "
                 "letter_id, decided_at, topic, part, src_offset, record_key, "
                 "value, header_names, header_values, error_class, reason) "
                 "VALUES (%s, %s, 1, 1, %s, now(), %s, %s, %s, %s, %s, "
                 "%s::bytea[], %s::bytea[], 'unreadable', %s)",
                 (stream, log_seq, letter, self.commands, part, log_seq, key,
                  value, [n for n, _ in headers], [v for _, v in headers],
                  reason))
        return letter

    def run(self, cur, sql, args):
        if cur is not None:
            cur.execute(sql, args)
        else:
            with self.db.cursor() as own:
                own.execute(sql, args)

    def load(self, count, rng=None, keys=7, batch=10):
        """count rows in transactions of about `batch`, results and events."""
        rng = rng or random.Random(1)
        self.db.autocommit = False
        done = 0
        while done < count:
            with self.db.cursor() as cur:
                for _ in range(min(batch, count - done)):
                    number = rng.randrange(keys)
                    key = f"k{number}"
                    if rng.random() < 0.5:  # a key lives in one partition
                        self.result(key, number % 2, cur=cur)
                    else:
                        self.event(key, cur=cur)
                    done += 1
            self.db.commit()
        self.db.autocommit = True

    # ---- records

    def records(self, topic):
        """As kafka.read(), of any bytes (surrogates stand for broken ones).
        A broker that was away has no leaders for a moment: asked again."""
        def read():
            try:
                return (kcat_to_end(self.kafka.bootstrap, topic, "-J"),)
            except subprocess.CalledProcessError:
                return None
        text = until(read, 60, f"kcat reads {topic}")[0].decode(
            "utf-8", "surrogateescape")
        return [json.loads(line) for line in text.split("\n") if line]

    def ids(self, topic):
        return [header(r, "id") for r in self.records(topic)]

    def arrived(self, seconds=60):
        """Waits until every row sent is there; then checks order per key and
        returns the number of repeated records."""
        topics = sorted({t for t, _, _ in self.sent})
        want = {i for _, _, i in self.sent}

        def all_there():
            seen = {i for t in topics for i in self.ids(t)}
            return want <= seen
        until(all_there, seconds, "all rows at Kafka", every=0.3)
        return self.check_order(topics)

    def check_order(self, topics):
        repeated = 0
        for topic in topics:
            got = {}
            for r in self.records(topic):
                seen = got.setdefault(r["key"], [])
                if header(r, "id") in seen:
                    repeated += 1
                else:
                    seen.append(header(r, "id"))
            for key in {k for t, k, _ in self.sent if t == topic}:
                expected = [i for t, k, i in self.sent
                            if t == topic and k == key]
                assert got.get(key, []) == expected, (topic, key)
        return repeated

    # ---- the command line

    def dlq_command(self, *args, role="operator"):
        flags = [f"--{k}={v}" for k, v in self.flags().items()
                 if k != "database_url"]
        return [str(OUT / "bin" / "outbox-relay"), *flags,
                f"--database_url={self.cell.url(role, self.database)}", "dlq",
                *args]

    def run_dlq(self, *args, role="operator"):
        return subprocess.run(
            self.dlq_command(*args, role=role), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, timeout=60)

    def dlq(self, *args, status=0, role="operator"):
        run = self.run_dlq(*args, role=role)
        assert run.returncode == status, run.stdout + run.stderr
        return run.stdout

    def letters(self, *args):
        return [json.loads(line) for line in
                self.dlq("list", "--json", *args).splitlines()]


def refused_letter(cell, topic, kind="topic", key=b"k", part=None):
    """A delivery that its topic refused."""
    letter = str(uuid.uuid4())
    cell.sql("INSERT INTO dead_letters (letter_id, source, row_id, topic, part, "
             "record_key, value, error_class, reason, attempts, blocks_key) "
             "VALUES (%s, 'outbox', %s, %s, %s, %s, 'v', %s, 'r', 1, false)",
             (letter, letter, topic, part, key, kind))
    return letter


def waits_for(cell, endpoint, count):
    """Deliveries to an endpoint that no relay of the test has."""
    cell.sql("INSERT INTO webhook_deliveries (endpoint, event_id, webhook_id, "
             "key_digest, record_key, aggregatetype, type, body, at, content) "
             "SELECT %s, 'e' || n, 'e' || n, sha256('k'), 'k', 'a', 't', 'v', "
             "now() - interval '3 hours', n FROM generate_series(1, %s) n",
             (endpoint, count))
