"""Kinds of statements that write, change and empty an application's outbox, in
transactions of their own. Each returns how many rows were inserted for good."""

import io


class Statements:
    """Of a table of the default columns; drawn by an Application's generator."""

    def __init__(self, app):
        self.app, self.db, self.table = app, app.db, app.table
        self.name = app.table.rsplit(".", 1)[-1]
        self.rng = app.rng
        with self.db.cursor() as cur:
            cur.execute(
                f"CREATE TABLE {self.name}_orders (n int);"
                f"CREATE FUNCTION {self.name}_told() RETURNS trigger LANGUAGE "
                "plpgsql AS $$ BEGIN INSERT INTO "
                f"{self.table} VALUES (gen_random_uuid(), 'Order', 'trigger', "
                "TG_OP, to_jsonb(NEW)); RETURN NEW; END $$;"
                f"CREATE TRIGGER told AFTER INSERT OR UPDATE ON "
                f"{self.name}_orders FOR EACH ROW EXECUTE FUNCTION "
                f"{self.name}_told()")

    def kinds(self):
        return [self.savepoints, self.copy, self.select, self.on_conflict,
                self.cte, self.trigger, self.subtransactions, self.changed,
                self.truncated, self.messages, self.replica, self.identity,
                self.two_phase, self.prepared_together, self.merge,
                self.upsert_of_many, self.empty, self.rewritten,
                self.no_identity, self.function]

    def play(self, rounds):
        rows = 0
        for _ in range(rounds):
            kinds = self.kinds()
            self.rng.shuffle(kinds)
            rows += sum(kind() for kind in kinds)
        return rows

    def run(self, *statements):
        """In one transaction."""
        with self.db.cursor() as cur:
            cur.execute("BEGIN")
            for one in statements:
                cur.execute(one)
            cur.execute("COMMIT")

    def one(self, key):
        return (f"INSERT INTO {self.table} VALUES (gen_random_uuid(), 'Order', "
                f"'{key}', 'T', to_jsonb({self.rng.randrange(10 ** 9)}))")

    def savepoints(self):
        self.run(self.one("a"), "SAVEPOINT s1", self.one("a"),
                 "ROLLBACK TO s1", self.one("a"), "SAVEPOINT s2",
                 self.one("b"), "SAVEPOINT s3", self.one("a"), "RELEASE s3",
                 self.one("b"), "RELEASE s2", "SAVEPOINT s4", self.one("a"),
                 "ROLLBACK TO s4")
        return 5

    def copy(self):
        rows = "".join(f"{self.app.uuid()}\tOrder\tcopy\tT\t{payload}\n"
                       for payload in ('{"a": "\\\\t"}', "\\N", "[1.0]"))
        with self.db.cursor() as cur:
            cur.copy_expert(f"COPY {self.table} FROM STDIN", io.StringIO(rows))
        return 3

    def select(self):
        self.run(f"INSERT INTO {self.table} SELECT gen_random_uuid(), 'Order', "
                 "'k' || mod(n, 7), 'T', jsonb_build_object('n', n) "
                 "FROM generate_series(1, 60) n")
        return 60

    def on_conflict(self):
        row_id = self.app.uuid()
        put = (f"INSERT INTO {self.table} VALUES ('{row_id}', 'Order', 'c', "
               "'T', '1') ON CONFLICT (id) DO ")
        self.run(put + "NOTHING", put + "NOTHING",
                 put + "UPDATE SET payload = '2'")
        self.run(put + "UPDATE SET payload = '3'", self.one("c"))
        return 2

    def cte(self):
        self.run(f"WITH x AS ({self.one('cte')} RETURNING *) INSERT INTO "
                 f"{self.table} SELECT gen_random_uuid(), aggregatetype, "
                 "aggregateid, type, '2' FROM x")
        return 2

    def trigger(self):
        self.run(f"INSERT INTO {self.name}_orders VALUES (1), (2)",
                 f"UPDATE {self.name}_orders SET n = n + 1 WHERE n = 1")
        self.run(f"DELETE FROM {self.name}_orders")
        return 3

    def subtransactions(self):
        """More than the 64 that fit into a WAL record."""
        self.run("DO $$ BEGIN FOR i IN 1..90 LOOP BEGIN "
                 f"{self.one('sub')}; IF i % 3 = 0 THEN RAISE EXCEPTION 'x'; "
                 "END IF; EXCEPTION WHEN raise_exception THEN NULL; END; "
                 "END LOOP; END $$")
        return 60

    def changed(self):
        self.run(self.one("changed"),
                 f"UPDATE {self.table} SET payload = '0' "
                 "WHERE aggregateid = 'changed'",
                 f"DELETE FROM {self.table} WHERE aggregateid = 'changed'")
        return 1

    def truncated(self):
        self.run(self.one("gone"), f"TRUNCATE {self.table}", self.one("left"))
        return 2

    def messages(self):
        self.run("SELECT pg_logical_emit_message(true, 'x', 'y')",
                 self.one("m"),
                 "SELECT pg_logical_emit_message(false, 'x', 'y')")
        return 1

    def replica(self):
        """As another server's rows are applied."""
        self.run("SET LOCAL session_replication_role = replica",
                 self.one("replica"))
        return 1

    def identity(self):
        self.run(f"ALTER TABLE {self.table} REPLICA IDENTITY FULL",
                 self.one("full"),
                 f"UPDATE {self.table} SET type = 'Z'")
        self.run(f"ALTER TABLE {self.table} REPLICA IDENTITY DEFAULT")
        return 1

    def two_phase(self):
        """Their place is that of the second phase."""
        with self.db.cursor() as cur:
            for name, end in ("kept", "COMMIT"), ("lost", "ROLLBACK"):
                cur.execute("BEGIN")
                cur.execute(self.one("2pc"))
                cur.execute(f"PREPARE TRANSACTION '{self.name}_{name}'")
                cur.execute(self.one("2pc"))
                cur.execute(f"{end} PREPARED '{self.name}_{name}'")
        return 3

    def prepared_together(self):
        """Committed in another order than prepared, after others; of
        subtransactions and of rows that the transaction deletes."""
        names = [f"{self.name}_{n}" for n in "abc"]
        with self.db.cursor() as cur:
            for name in names:
                cur.execute("BEGIN")
                for one in (self.one("2pc"), "SAVEPOINT s", self.one("2pc"),
                            "ROLLBACK TO s", "SAVEPOINT t", self.one("2pc")):
                    cur.execute(one)
                cur.execute(f"PREPARE TRANSACTION '{name}'")
            cur.execute(self.one("2pc"))
            for name in reversed(names):
                cur.execute(f"COMMIT PREPARED '{name}'")
        return 7

    def merge(self):
        self.run(f"MERGE INTO {self.table} t USING (SELECT 'merged' AS k, n "
                 "FROM generate_series(1, 3) n) s ON t.aggregateid = s.k AND "
                 "t.payload = to_jsonb(s.n) WHEN MATCHED AND s.n = 1 THEN "
                 "DELETE WHEN MATCHED THEN UPDATE SET type = 'M' WHEN NOT "
                 "MATCHED THEN INSERT VALUES (gen_random_uuid(), 'Order', "
                 "s.k, 'T', to_jsonb(s.n))",
                 f"DELETE FROM {self.table} WHERE aggregateid = 'merged'")
        return 3

    def upsert_of_many(self):
        """Some are inserted, some changed, by one statement; speculative
        insertions that come to nothing."""
        low, high = sorted(str(self.app.uuid()) for _ in range(2))
        put = (f"INSERT INTO {self.table} SELECT i::uuid, 'Order', 'up', 'T', "
               "'1' FROM unnest(ARRAY[{}]) i ON CONFLICT (id) DO UPDATE SET "
               "payload = '2', type = excluded.type RETURNING *")
        self.run(put.format(f"'{low}'"), put.format(f"'{low}', '{high}'"),
                 f"WITH x AS (DELETE FROM {self.table} WHERE id = '{low}' "
                 f"RETURNING id) SELECT * FROM x", put.format(f"'{low}'"))
        return 3

    def empty(self):
        """Transactions that leave nothing for the stream, or nothing at all."""
        self.run()
        self.run("SELECT txid_current()")
        self.run(f"INSERT INTO {self.table} SELECT * FROM {self.table} "
                 "WHERE false")
        self.run("SAVEPOINT s", self.one("empty"), "ROLLBACK TO s")
        self.run(f"CREATE TEMP TABLE t ON COMMIT DROP AS TABLE {self.table}")
        return 0

    def rewritten(self):
        """A heap that is written anew tells its rows to nobody."""
        with self.db.cursor() as cur:
            cur.execute(self.one("before"))
            cur.execute(f"VACUUM FULL {self.table}")
            cur.execute(f"CLUSTER {self.table} USING {self.name}_pkey")
        self.run(self.one("meanwhile"),
                 f"ALTER TABLE {self.table} ADD volatile float DEFAULT random()",
                 f"ALTER TABLE {self.table} DROP volatile", self.one("after"))
        return 3

    def no_identity(self):
        """Of rows that can neither be changed nor deleted."""
        self.run(f"ALTER TABLE {self.table} REPLICA IDENTITY NOTHING",
                 self.one("nothing"))
        self.run(self.one("nothing"))
        self.run(f"ALTER TABLE {self.table} REPLICA IDENTITY DEFAULT")
        return 2

    def function(self):
        """That commits on its way."""
        with self.db.cursor() as cur:
            cur.execute("DO $$ BEGIN FOR i IN 1..4 LOOP "
                        f"{self.one('do')}; IF i % 2 = 0 THEN COMMIT; ELSE "
                        f"{self.one('do')}; END IF; END LOOP; ROLLBACK; END $$")
        return 6
