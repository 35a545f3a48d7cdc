"""An application with an outbox of its own: tables of several kinds, and random
rows in transactions as applications write them. Drawn from a seed."""

import json
import random
import uuid

WORDS = ["", " ", "plain", "with \"quotes\"", "back\\slash", "tab\tnew\nline",
         "ünïcödé", "日本語", "emoji \U0001f600\U0001f468‍\U0001f469",
         "\u2028\u2029\x7f", "</script>'", "a" * 300, "\x01\x1f"]

DEFAULT = """(
    id uuid NOT NULL PRIMARY KEY,
    aggregatetype varchar(255) NOT NULL,
    aggregateid varchar(255) NOT NULL,
    type varchar(255) NOT NULL,
    payload {payload})"""

# One of each type that the relay claims, nullable.
TYPED = """(
    id uuid NOT NULL PRIMARY KEY,
    aggregatetype varchar(255) NOT NULL,
    aggregateid varchar(255) NOT NULL,
    type varchar(255) NOT NULL,
    payload {payload},
    part int4,
    c_text text, c_varchar varchar(40), c_char char(6), c_json json,
    c_jsonb jsonb, c_uuid uuid, c_bool boolean, c_int2 int2, c_int4 int4,
    c_int8 int8, c_bytea bytea, c_date date, c_timestamp timestamp,
    c_timestamptz timestamptz,
    unused numeric, unused_too int4[])"""

TYPES = ["c_text", "c_varchar", "c_char", "c_json", "c_jsonb", "c_uuid",
         "c_bool", "c_int2", "c_int4", "c_int8", "c_bytea", "c_date",
         "c_timestamp", "c_timestamptz"]


class Application:
    """Writes rows of one table; columns by the names that the case gives."""

    def __init__(self, db, table, seed, names=None, kinds=("Order", "order",
                                                           "CUSTOMER")):
        self.db, self.table = db, table
        self.rng = random.Random(seed)
        self.names = {n: n for n in ("id", "aggregatetype", "aggregateid",
                                     "type", "payload")} | (names or {})
        self.kinds = kinds
        self.rows = 0

    # ---- values

    def word(self):
        return self.rng.choice(WORDS)

    def tree(self, depth=3):
        """A JSON value with nulls and empty arrays at any place."""
        leaf = [None, [], {}, True, 0, -17, 2 ** 53, 1.5, 1e-9, self.word()]
        if depth == 0 or self.rng.random() < 0.3:
            return self.rng.choice(leaf)
        if self.rng.random() < 0.5:
            return [self.tree(depth - 1)
                    for _ in range(self.rng.randrange(4))]
        return {self.rng.choice(["a", "b b", "é", ""]) + str(n):
                self.tree(depth - 1) for n in range(self.rng.randrange(4))}

    def key(self):
        """Hot and cold ones, and some that are odd."""
        draw = self.rng.random()
        if draw < 0.5:
            return f"hot-{self.rng.randrange(3)}"
        if draw < 0.8:
            return f"cold-{self.rng.randrange(10 ** 9)}"
        return self.word()[:255]

    def payload_json(self):
        return None if self.rng.random() < 0.1 else json.dumps(self.tree())

    def payload_text(self):
        draw = self.rng.random()
        if draw < 0.15:
            return None
        return "  \n\t" if draw < 0.3 else self.word()

    def payload_bytea(self):
        draw = self.rng.random()
        if draw < 0.15:
            return None
        return self.rng.randbytes(self.rng.choice([0, 1, 2, 3, 100]))

    def typed(self):
        """A value, or NULL, for each of TYPES."""
        r = self.rng
        values = {
            "c_text": self.word(), "c_varchar": self.word()[:40],
            "c_char": r.choice(["", "ab", "abcdef"]),
            "c_json": r.choice(['{ "a" : [ ] }', "null", " 1.0 ", '"x"']),
            "c_jsonb": json.dumps(self.tree()), "c_uuid": str(self.uuid()),
            "c_bool": r.random() < 0.5,
            "c_int2": r.choice([0, 1, -32768, 32767]),
            "c_int4": r.choice([0, -1, 2147483647, -2147483648]),
            "c_int8": r.choice([0, 9223372036854775807, -(2 ** 63)]),
            "c_bytea": r.randbytes(r.randrange(5)),
            "c_date": r.choice(["2026-11-29", "1969-12-31", "2000-01-01"]),
            "c_timestamp": r.choice(["2026-01-02 03:04:05.678901",
                                     "2026-01-02 03:04:05",
                                     "1969-12-31 23:59:59.5"]),
            "c_timestamptz": r.choice(["2026-01-02 03:04:05.678901+02",
                                       "2026-01-02 03:04:05+00",
                                       "1999-12-31 23:59:59.5-05"])}
        return {name: None if r.random() < 0.2 else values[name]
                for name in TYPES}

    def uuid(self):
        return uuid.UUID(int=self.rng.getrandbits(128), version=4)

    # ---- rows

    def insert(self, cur, payload, **more):
        row = {"id": str(self.uuid()), "aggregatetype":
               self.rng.choice(self.kinds), "aggregateid": self.key(),
               "type": self.rng.choice(["Created", "Päid", "closed"]),
               "payload": payload}
        row = {self.names.get(n, n): v for n, v in (row | more).items()}
        columns = ", ".join(f'"{n}"' for n in row)
        cur.execute(f"INSERT INTO {self.table} ({columns}) VALUES "
                    f"({', '.join(['%s'] * len(row))})", list(row.values()))
        return row

    def transactions(self, count, make, per=6):
        """count transactions of 1 to `per` rows of make(); some roll back.
        make(cur) inserts one row and returns it."""
        for _ in range(count):
            made = 0
            self.db.autocommit = False
            with self.db.cursor() as cur:
                for _ in range(self.rng.randrange(1, per + 1)):
                    make(cur)
                    made += 1
            if self.rng.random() < 0.15:
                self.db.rollback()
            else:
                self.db.commit()
                self.rows += made
            self.db.autocommit = True
