"""An application with an outbox table of its own, and a relay beside it."""

import json
import uuid

from .relay_rows import Cell
from .wait import until

TABLE = """CREATE TABLE outbox (n bigserial, id uuid NOT NULL PRIMARY KEY,
    aggregatetype varchar(255) NOT NULL, aggregateid varchar(255) NOT NULL,
    type varchar(255) NOT NULL, payload jsonb)"""


class Shop(Cell):
    """Rows in, records out; `topic` is where its events go."""

    def __init__(self, alone, kafka):
        super().__init__(alone.cell, kafka, alone.name, alone.connect())
        self.alone = alone
        self.topic = f"{self.prefix}Order"
        self.sql(TABLE)
        kafka.create(self.topic)

    def flags(self, **more):
        return super().flags(**{
            "schema": "outbox_relay", "publication": "outbox_relay",
            "outbox_table": "public.outbox", "outbox_order_by": "n", **more})

    def lose_slot(self):
        """Its walsender may outlive the relay for a moment."""
        until(lambda: self.sql(
            "SELECT pg_drop_replication_slot(slot_name) FROM "
            "pg_replication_slots WHERE slot_name = %s AND NOT active",
            (self.slot,)), 60, "the slot is dropped")

    def poll(self):
        """For a relay that polls."""
        self.sql("CREATE UNIQUE INDEX ON outbox (n)")
        self.alone.install("public.outbox", "outbox_relay", poll=1)

    def reuse_ids(self, kafka, daemon):
        """Ids begin anew: of a row that became a letter, of one that waits
        behind it, in other events. `daemon` has topic_wait 0."""
        missing = f"{self.prefix}Missing"
        first = [self.order("k1", kind="Missing", payload=n) for n in range(2)]
        letter = until(self.letters, 60, "the letter")[0]
        daemon.wait_metric(1, "relay_rows_blocked_total")
        self.sql("DELETE FROM outbox")
        self.order("k2", payload="other key", row_id=first[0])
        self.arrived()
        # a value of the same key: it waits as well
        self.sql("DELETE FROM outbox")
        self.order("k1", kind="Missing", payload="again", row_id=first[1])
        daemon.wait_metric(2, "relay_rows_blocked_total")
        kafka.create(missing)
        self.dlq("replay", letter["letter_id"], "--reason", "topic made")
        until(lambda: [r["payload"] for r in self.records(missing)] ==
              ["0", "1", '"again"'], 60, "all, in order")

    def left(self):
        return self.sql("SELECT count(*) FROM outbox")[0][0]

    def order(self, key, kind="Order", payload=None, row_id=None):
        row_id = row_id or str(uuid.uuid4())
        self.sql("INSERT INTO outbox (id, aggregatetype, aggregateid, type, "
                 "payload) VALUES (%s, %s, %s, 'Created', %s)",
                 (row_id, kind, key, json.dumps(payload)))
        if kind == "Order":
            self.sent.append((self.topic, key, row_id))
        return row_id
