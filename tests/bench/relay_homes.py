# SPDX-License-Identifier: Apache-2.0
"""Where the relay's rows lie: the ledger's own outbox, and the outbox table of
an application, which Debezium can read as well. Both have the same keys and
payloads."""

import json
import uuid

import psycopg2

from harness.alone import Alone
from harness.cell import TEMPLATE

KIND = "bench"
PAYLOAD = json.dumps({"text": "x" * 231})
assert len(PAYLOAD) == 243

# Each COMMIT is a transaction of the WAL; that the loading itself does not
# wait for the disk changes nothing in what is read later.
LOAD = """
DO $$
DECLARE
	i int8;
BEGIN
	PERFORM set_config('synchronous_commit', 'off', false);
	FOR i IN 1..{rows} LOOP
		INSERT INTO {into} ({columns}) VALUES ({values}, 'acme/k' ||
			floor(power(random(), 3) * 5000)::int8);
		IF i % {per} = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
	COMMIT;
	PERFORM set_config('synchronous_commit', 'on', false);
END $$"""

ONE_ROW = r"""
\set key random(1, 5000)
INSERT INTO {into} ({columns}) VALUES ({values}, 'acme/k' || :key);
"""


class Home:
    """A database with one table of events."""

    columns = "id, aggregatetype, type, payload"
    values = f"gen_random_uuid(), '{KIND}', 'happened', '{PAYLOAD}'"

    def insert(self, text, **more):
        return text.format(into=self.table, values=self.values,
                           columns=f"{self.columns}, aggregateid", **more)

    def load(self, rows, per):
        """Returns the WAL position behind the rows but one: a row more lets
        pg_recvlogical see the end; its commit brings everything before it to
        the disk."""
        db = self.connect()
        with db.cursor() as cur:
            cur.execute(self.insert(LOAD, rows=rows - 1, per=per))
            cur.execute("SELECT pg_current_wal_insert_lsn()")
            end = cur.fetchone()[0]
            cur.execute(f"INSERT INTO {self.table} ({self.columns}, "
                        f"aggregateid) VALUES ({self.values}, 'acme/k')")
        db.close()
        return end

    def connect(self):
        db = psycopg2.connect(self.bench.cell.url("superuser", self.name))
        db.autocommit = True
        return db

    def one(self, sql):
        db = self.connect()
        with db.cursor() as cur:
            cur.execute(sql)
            row = cur.fetchone()
        db.close()
        return row[0] if row else None

    def reader_of(self, slot):
        """The walsender's process; None: nobody reads."""
        return self.one("SELECT active_pid FROM pg_replication_slots WHERE "
                        f"slot_name = '{slot}'")

    def make_slot(self):
        slot = "s" + uuid.uuid4().hex[:8]
        self.one("SELECT pg_create_logical_replication_slot("
                 f"'{slot}', 'pgoutput')")
        return slot

    def drop(self):
        self.bench.drop(self.name)


class Ledger(Home):
    kind = "ledger's outbox"
    table, publication = "ch.outbox", "ch_relay"
    columns = f"seq, created_at, {Home.columns}"
    values = f"nextval('ch.batch_seq'), clock_timestamp(), {Home.values}"
    alone = None

    def __init__(self, bench):
        self.bench = bench
        self.name = bench.copy_of(TEMPLATE)

    def flags(self, prefix):
        return {"outbox_prefix": prefix, "results_topic": prefix + KIND}


class Application(Home):
    kind = "application's table"
    table, publication = "public.outbox", "bench"

    def __init__(self, bench):
        self.bench = bench
        self.alone = Alone(bench.cell)
        self.name = self.alone.name
        bench.databases.append(self.name)
        with self.connect() as db, db.cursor() as cur:
            cur.execute("CREATE TABLE outbox (id uuid NOT NULL PRIMARY KEY, "
                        "aggregatetype varchar(255) NOT NULL, "
                        "aggregateid varchar(255) NOT NULL, "
                        "type varchar(255) NOT NULL, payload text); "
                        "GRANT INSERT ON outbox TO ch_owner")
        self.alone.install(self.table, self.publication)

    def flags(self, prefix):
        return {"outbox_prefix": prefix, "outbox_table": self.table,
                "schema": self.publication, "publication": self.publication,
                "outbox_snapshot": "no_data"}
