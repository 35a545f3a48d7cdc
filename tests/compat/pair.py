"""Debezium and our relay on one table, and the comparison of what they sent.

Equal means: topic (behind a prefix of each side's own), partition, key, headers
in their order, value, byte for byte, and the same order in each partition. A
record without a key has no partition that could be compared: both draw one."""

import json
import os
import uuid

from harness.connect import outbox_connector
from harness.kafka import kcat_to_end
from harness.wait import until


def read(kafka, topic):
    """kcat's JSON of any bytes: surrogates stand for what is no UTF-8."""
    text = kcat_to_end(kafka.bootstrap, topic, "-J", "-X",
                       "fetch.wait.max.ms=20").decode(
                           "utf-8", "surrogateescape")
    return [json.loads(line) for line in text.split("\n") if line]


def wire(record):
    return (record["key"], record.get("headers"), record["payload"])


def difference(left, right):
    """Of two records: the first place at which they part."""
    for name, *pair in zip(("key", "headers", "value"), left, right):
        theirs, ours = map(repr, pair)
        at = len(os.path.commonprefix([theirs, ours]))
        if theirs != ours:
            return f"{name}: ...{theirs[max(at - 60, 0):at + 60]}, " \
                   f"...{ours[max(at - 60, 0):at + 60]}"
    return "none"


class Pair:
    """One case."""

    def __init__(self, alone, kafka, connect, daemons):
        self.alone, self.kafka, self.connect = alone, kafka, connect
        self.daemons = daemons
        self.name = "c" + uuid.uuid4().hex[:8]
        self.theirs, self.ours = f"{self.name}.dbz.", f"{self.name}.our."
        self.table = f"public.{self.name}"
        self.db = alone.connect()
        self.relay = None

    def close(self):
        self.connect.remove(self.name)
        if self.relay is not None:
            self.relay.kill()
        self.drop_slots()
        self.sql(f"DROP PUBLICATION IF EXISTS {self.name}")
        self.db.close()

    def sql(self, text, args=()):
        with self.db.cursor() as cur:
            cur.execute(text, args)
            return cur.fetchall() if cur.description else None

    def make_table(self, columns, payload="jsonb", schema="public"):
        self.table = f"{schema}.{self.name}"
        self.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        self.sql(f"CREATE TABLE {self.table} {columns.format(payload=payload)}")
        self.alone.install(self.table, self.name)

    def topics(self, *suffixes):
        self.suffixes = suffixes
        self.kafka.create(*[p + s for s in suffixes
                            for p in (self.theirs, self.ours)])

    # ---- slots

    def slot(self, side):
        return f"{self.name}_{side}"

    def slot_active(self, slot):
        rows = self.sql("SELECT active FROM pg_replication_slots "
                        "WHERE slot_name = %s", (slot,))
        return bool(rows) and rows[0][0]

    def drop_slots(self):
        def dropped():
            rows = self.sql("SELECT slot_name, active FROM "
                            "pg_replication_slots WHERE slot_name LIKE %s",
                            (self.name + "%",))
            for slot, active in rows:
                if not active:
                    self.sql("SELECT pg_drop_replication_slot(%s)", (slot,))
            return not rows
        until(dropped, 30, "the case's slots dropped")

    # ---- the two

    def start_debezium(self, slot=None, router=None, wait=True, **more):
        """router and more: as outbox_connector() takes them."""
        slot = slot or self.slot("dbz")
        config = outbox_connector(
            self.alone, self.name, slot, self.name, self.table,
            {"route.topic.replacement": self.theirs + "${routedByValue}",
             **(router or {})}, **more)
        self.connect.add(self.name, config)
        if wait:
            until(lambda: self.connect.state(self.name) == "RUNNING"
                  and self.slot_active(slot), 60,
                  f"Debezium reads {slot}, see {self.connect.log}", every=0.1)

    def stop_debezium(self):
        self.connect.remove(self.name)

    def start_relay(self, slot=None, wait_ready=True, slot_read=True, **flags):
        slot = slot or self.slot("our")
        self.relay = self.daemons("outbox-relay", wait_ready=wait_ready, **{
            "bootstrap": self.kafka.bootstrap,
            "database_url": self.alone.url(), "schema": self.name,
            "publication": self.name, "slot": slot,
            "outbox_table": self.table, "outbox_prefix": self.ours,
            "topic_wait": "2s", "outbox_snapshot": "no_data", **flags})
        if wait_ready and slot_read:
            until(lambda: self.slot_active(slot), 30, "our slot is read")
        return self.relay

    def start(self, router=None, connector=None, **flags):
        self.start_debezium(router=router, **(connector or {}))
        self.start_relay(**flags)

    # ---- what they sent

    def sent(self, prefix):
        return {s: read(self.kafka, prefix + s) for s in self.suffixes}

    def wait_for(self, prefix, count, who):
        def there():
            total = sum(len(r) for r in self.sent(prefix).values())
            return total >= count
        try:
            until(there, 40, f"{count} records of {who}", every=0.2)
        except AssertionError as late:
            raise AssertionError(
                f"{late}: {[len(r) for r in self.sent(prefix).values()]}\n"
                f"{self.connect.ask('GET', f'/connectors/{self.name}/status')}"
                f"\n{self.relay and self.relay.logged()[-2000:]}") from late

    def compare(self, count):
        """Waits for count records of each; returns ours by topic."""
        self.wait_for(self.theirs, count, "Debezium")
        self.wait_for(self.ours, count, "ours")
        theirs, ours = self.sent(self.theirs), self.sent(self.ours)
        for suffix in self.suffixes:
            self.compare_topic(suffix, theirs[suffix], ours[suffix])
        assert sum(len(r) for r in ours.values()) == count
        return ours

    def compare_topic(self, suffix, theirs, ours):
        for part in range(4):
            pick = [[wire(r) for r in side if r["partition"] == part
                     and r["key"] is not None] for side in (theirs, ours)]
            for left, right in zip(*pick):
                assert left == right, (f"{suffix}[{part}], Debezium, ours: "
                                       + difference(left, right))
            assert len(pick[0]) == len(pick[1]), f"{suffix}[{part}]"
        bare = [sorted([repr(wire(r)) for r in side if r["key"] is None])
                for side in (theirs, ours)]
        assert bare[0] == bare[1], f"{suffix}: records without a key"
