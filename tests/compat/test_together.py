"""Options, types and changes together that the other files play one by one."""

import pytest

from application import DEFAULT
from harness.kafka import header
from harness.wait import until
from test_contract import JSON, PLACEMENT
from test_other_kinds import COLUMNS, OTHER, insert, row


def test_placements_of_one_column(pair):
    """The same column in several places, the names of the contract's own
    headers and of Debezium's, two partitions of which either may be null."""
    placed = ("type:header:id,type:header,type:header:x y,id:header,"
              "payload:header:p,aggregatetype:header:__debezium.context.runId,"
              "part:partition,part2:partition,aggregateid:envelope,"
              "aggregatetype:envelope:a.b,id:envelope:é,type:envelope:x/y")
    pair.make_table(f"{DEFAULT.rstrip(')')}, part int, part2 int)")
    pair.topics("Order")
    pair.start(router={PLACEMENT: placed}, connector=JSON,
               outbox_placements=placed, outbox_value="json")
    parts = [(a, b) for a in ("NULL", 0, 3) for b in ("NULL", 1, 2)]
    pair.compare(insert(pair, *(f"{row('k', n)}, {a}, {b}" for n, (a, b)
                                in enumerate(parts)),
                        columns=COLUMNS + ", part, part2"))


def test_null_keys_with_a_partition(pair):
    pair.make_table("(id uuid, aggregatetype text, aggregateid text, type text,"
                    " payload text, part int)")
    pair.topics("Order")
    pair.start(router={PLACEMENT: "part:partition"},
               outbox_placements="part:partition")
    pair.compare(insert(pair, *(f"gen_random_uuid(), 'Order', {k}, 'T', {v}, {p}"
                                for k in ("NULL", "''", "'k'")
                                for v in ("NULL", "''", "'v'")
                                for p in (0, 2)), columns=COLUMNS + ", part"))


EDGES = {
    "date": ["'0044-03-15 BC'", "'4713-01-01 BC'", "'5874897-12-31'",
             "'0001-01-01'", "'1582-10-10'", "'9999-12-31'", "'10000-01-01'",
             "'1900-02-28'"],
    "timestamp": ["'4713-01-02 BC'", "'0001-01-01'", "'9999-12-31 23:59:59'",
                  "'1970-01-01'", "'1969-12-31 23:59:59.999999'",
                  "'2026-06-30 24:00:00'", "'10000-01-01'", "'1883-11-18'"],
    "timestamptz": ["'1883-11-18 12:03:57-05'", "'0001-01-01 00:00+15:59:59'",
                    "'0001-12-31+00 BC'", "'10000-01-01 00:00+00'",
                    "'2026-01-01 00:00:00.000001+00'",
                    "'2026-01-01 00:00:00.1+00'", "'1970-01-01+00'",
                    "'1969-12-31 23:59:59.999999+00'"],
    "char(4)": ["''", "'é'", "'日本'", "'    '", "'😀'", "E'\\t'", "'ab  '",
                "NULL"],
    "bpchar": ["''", "'a  '", "'   '", "'é'", "'x'", "'y'", "'z'", "NULL"],
    "jsonb": ["'1e300'", "'\"\\u00e9\\n\"'", "'[[[[]]]]'", "'{\"\":{}}'",
              "'-0'", "'1.10'", "'true'", "'\" \"'"],
    "json": ["'{\"a\" :1,\"a\":2}'", "' [] '", "'\"\\u00e9\"'", "'1E5'", "'{}'",
             "'null'", "'\"\\ud83d\\ude00\"'", "NULL"],
    "bytea": ["''", "'\\x00'", "'\\xff'", "'\\x0001'", "'\\x000102'",
              "'\\xfbefbe'", "'abc'", "NULL"],
    "int2": ["-32768", "32767", "0", "1", "-1", "7", "8", "NULL"],
    "bool": ["true", "false"] * 3 + ["NULL", "true"],
}


# of types that no option may name, full all the same
UNUSED = {"numeric": "NaN", "numeric(9, 2)": "1.5", "float8": "Infinity",
          "float4": "-0", "int4[]": "{{1,NULL}}", "text[]": "{{a,NULL,b}}",
          "int4range": "[1,5)", "tstzrange": "(,infinity]", "interval": "-1 mon",
          "xml": "<a/>", "point": "(1,2)", "inet": "::1/8", "bit(3)": "101",
          "time": "24:00", "timetz": "12:00+05", "money": "1", "oid": "7",
          "name": "n", "tsvector": "a b", "uuid[]": "{{}}", "json[]": "{{1}}"}


def test_edges_of_types(pair):
    names = {f"c{n}": t for n, t in enumerate(EDGES)}
    placed = ",".join(f"{n}:header,{n}:envelope" for n in names)
    unused = [f"u{n} {t} DEFAULT '{v}'" for n, (t, v)
              in enumerate(UNUSED.items())]
    pair.make_table(f"{DEFAULT.rstrip(')')}, " + ", ".join(
        unused + [f"{n} {t}" for n, t in names.items()]) + ")")
    pair.topics("Order")
    pair.start(router={PLACEMENT: placed}, connector=JSON,
               outbox_placements=placed, outbox_value="json")
    pair.compare(insert(pair, *(f"{row('k', n)}, " + ", ".join(
        EDGES[t][n] for t in names.values()) for n in range(8)),
        columns=", ".join([COLUMNS, *names])))


@pytest.mark.parametrize("source", ["auto", "poll"])
@pytest.mark.usefixtures("own_types")
def test_rows_that_are_read_from_the_table(pair, seed, source):
    """Debezium's snapshot, and ours: of each type."""
    everything = {**OTHER, **EDGES}
    # of a day before the Gregorian calendar Debezium's snapshot tells another
    # number than its stream; ours tells the stream's
    everything["date"] = ["'1582-10-15'", "'5874897-12-31'", "'1900-02-28'"]
    names = {f"c{n}": t for n, t in enumerate(everything)}
    placed = ",".join(f"{n}:header,{n}:envelope" for n in names)
    pair.make_table("(n bigint GENERATED ALWAYS AS IDENTITY UNIQUE, "
                    f"{DEFAULT.strip()[1:-1]}, " + ", ".join(
                        f"{n} {t}" for n, t in names.items()) + ")")
    pair.topics("Order")
    rows = insert(pair, *(f"{row('k', n)}, " + ", ".join(
        everything[t][n % len(everything[t])] for t in names.values())
        for n in range(8)), columns=", ".join([COLUMNS, *names]))
    pair.start_debezium(
        router={PLACEMENT: placed}, snapshot__mode="initial",
        snapshot__select__statement__overrides=pair.table,
        **{"snapshot__select__statement__overrides__"
           + pair.table.replace(".", "__"):
           f"SELECT * FROM {pair.table} ORDER BY n", **JSON})
    pair.wait_for(pair.theirs, rows, "Debezium")
    pair.sql(f"GRANT DELETE ON {pair.table} TO ch_relay")
    pair.start_relay(outbox_snapshot="initial", outbox_order_by="n",
                     outbox_placements=placed, outbox_value="json",
                     source=source, slot_read=source != "poll")
    pair.compare(rows)


KEYS = {"uuid": "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "date":
        "'2026-01-02'", "timestamp": "'2026-01-02 03:04:05.6'", "jsonb":
        "'{\"b\": 1, \"a\": [1.0]}'", "json": "'{\"b\" : 1}'", "int2": "-3",
        "char(5)": "'k'", "timestamp(3)": "'2026-01-02 03:04:05.6'",
        "citext": "'Ab'", "tree": "'[]'"}


@pytest.mark.usefixtures("own_types")
def test_keys_and_ids_of_each_type(pair):
    """One after another in one column."""
    pair.make_table("(id text, aggregatetype text, aggregateid text, type text,"
                    " payload text)")
    pair.topics("Order")
    pair.start(router={PLACEMENT: "aggregateid:header:k,payload:header:p"},
               outbox_placements="aggregateid:header:k,payload:header:p")
    rows = insert(pair, "'1', 'Order', 'k', 'T', 'v'")
    for kind, value in KEYS.items():
        for column in ("id", "aggregateid", "payload"):
            pair.sql(f"ALTER TABLE {pair.table} DROP {column}")
            pair.sql(f"ALTER TABLE {pair.table} ADD {column} {kind}")
        rows += insert(pair, f"{value}, 'Order', {value}, 'T', {value}",
                       f"NULL, 'Order', {value}, 'T', NULL")
    pair.compare(rows)


def test_columns_that_change_in_a_transaction(pair):
    placed = "type:header,extra:header,type:envelope"
    pair.make_table(f"{DEFAULT.rstrip(')')}, extra int)")
    pair.topics("Order")
    pair.start(router={PLACEMENT: placed}, connector=JSON,
               outbox_placements=placed, outbox_value="json")
    t, columns = pair.table, COLUMNS + ", extra"
    put = (f"INSERT INTO {t} ({columns}) VALUES "
           "(gen_random_uuid(), 'Order', 'k', 'T', '{}', '{}')")
    steps = [put.format(1, 1),
             f"ALTER TABLE {t} ALTER extra TYPE text USING 'x' || extra",
             put.format(2, "two"),
             f"ALTER TABLE {t} DROP extra, ADD extra bool", put.format(3, "t"),
             f"ALTER TABLE {t} RENAME extra TO was",
             f"ALTER TABLE {t} ADD extra timestamptz(1)",
             put.format(4, "2026-01-02 03:04:05.67+00"),
             f"ALTER TABLE {t} ALTER id TYPE text, ALTER aggregateid TYPE "
             "char(4)", put.format(5, "2026-01-02 03:04:05.67+00"),
             "SAVEPOINT s", f"ALTER TABLE {t} DROP extra, ADD extra int8",
             put.format(6, 6), "ROLLBACK TO s",
             put.format(7, "2026-01-02 03:04:05.67+00"),
             f"CREATE TYPE {pair.name}_t AS ENUM ('2026 é', 'x')",
             f"ALTER TABLE {t} DROP extra, ADD extra {pair.name}_t",
             put.format(7, "2026 é"),
             f"ALTER TABLE {t} DROP extra, ADD extra timestamptz(1)",
             f"ALTER TABLE {t} ALTER payload TYPE text", put.format(8,
             "2026-01-02 03:04:05.67+00")]
    pair.sql("BEGIN; " + "; ".join(steps) + "; COMMIT")
    pair.sql(put.format(9, "2026-01-02 03:04:05.67+00"))
    pair.compare(9)


def test_parts_of_a_table(pair):
    """A publication's filter and list of columns; a generated column; a table
    of the same name in another schema, in the same transactions."""
    name, t = pair.name, pair.table
    pair.make_table(f"{DEFAULT.rstrip(')')}, twice text GENERATED ALWAYS AS "
                    "(aggregateid || aggregateid) STORED, secret text)")
    pair.sql(f"CREATE SCHEMA \"{name} x\"; CREATE TABLE \"{name} x\".{name} "
             f"(LIKE {t}); GRANT USAGE ON SCHEMA \"{name} x\" TO ch_relay; "
             f"GRANT SELECT ON \"{name} x\".{name} TO ch_relay")
    pair.sql(f"ALTER PUBLICATION {name} SET TABLE {t} ({COLUMNS}) WHERE "
             f"(aggregateid <> 'no'), \"{name} x\".{name}")
    pair.topics("Order")
    pair.start(router={PLACEMENT: "secret:header,twice:header,type:header",
                       "table.field.additional.missing": "ignore"},
               outbox_placements="secret:header,twice:header,type:header",
               outbox_missing="ignore")
    for n in range(5):
        pair.sql(f"BEGIN; INSERT INTO {t} ({COLUMNS}) VALUES ({row('k', n)}); "
                 f"INSERT INTO \"{name} x\".{name} ({COLUMNS}) VALUES "
                 f"({row('other', n)}); INSERT INTO {t} ({COLUMNS}) VALUES "
                 f"({row('no', n)}), ({row('k', n)}); COMMIT")
    pair.compare(10)


@pytest.mark.parametrize("regex,replacement,values,suffixes", [
    ("(?i)(order)s?", "$1.x", ["Order", "orderS", "ORDER"],
     ["Order.x", "order.x", "ORDER.x"]),
    ("([a-z]+)\\.(?:(x)|(y))", "$1$2-$3",
     ["ab.x", "ab.y"], ["abx-", "ab-y"]),
    ("a(?=.*b).*|c", "q$0\\-", ["acb", "c"], ["qacb-", "qc-"]),
    ("(\\w+) \\d|[^a-d -]\\x{42}?+", "$11.w", ["ab 1", "z"],
     ["ab1.w", "1.w"]),
    ("\\Q[a&&b]\\E|[a\\[&]+", "class", ["[a&&b]", "a[&"], ["class"]),
])
def test_expressions(pair, regex, replacement, values, suffixes):
    pair.make_table(DEFAULT)
    pair.topics(*suffixes)
    pair.start(router={"route.topic.regex": regex, "route.topic.replacement":
                       pair.theirs + replacement}, outbox_topic_regex=regex,
               outbox_topic_replacement=pair.ours + replacement)
    pair.compare(insert(pair, *(
        f"gen_random_uuid(), '{v}', 'k', 'T', '1'" for v in values)))


def stopped(pair):
    until(lambda: pair.connect.state(pair.name) == "FAILED", 30,
          "Debezium gave up")


@pytest.mark.parametrize("what", ["routed by a number", "a null topic",
                                  "part -1",
                                  "a retyped column in an envelope"])
def test_where_debezium_stops(pair, what):
    """As the README says; ours goes on."""
    placed = "part:partition,extra:envelope"
    pair.make_table(
        f"(id uuid, aggregatetype {'int' if 'number' in what else 'text'}, "
        "aggregateid text, type text, payload text, part int, extra int)")
    pair.topics("7")
    pair.start(router={PLACEMENT: placed}, connector=JSON,
               outbox_placements=placed, outbox_value="json")
    part = -1 if "part" in what else "NULL"
    columns = COLUMNS + ", part, extra"
    good = "gen_random_uuid(), '7', 'k', 'T', 'v', NULL, 1"
    rows = 0 if "number" in what else insert(pair, good, columns=columns)
    if "retyped" in what:
        pair.sql(f"ALTER TABLE {pair.table} ALTER extra TYPE text")
    kind = "NULL" if "null" in what else "'7'"
    insert(pair, f"gen_random_uuid(), {kind}, 'k2', 'T', 'v', {part}, '2'",
           good, columns=columns)
    stopped(pair)
    assert len(pair.sent(pair.theirs)["7"]) <= rows
    pair.wait_for(pair.ours, rows + (1 if "null" in what else 2), "ours")


def test_update_in_a_transaction_is_fatal(pair):
    pair.make_table(DEFAULT)
    pair.topics("Order")
    pair.start(router={"table.op.invalid.behavior": "fatal"},
               outbox_on_update="fatal")
    insert(pair, row("k", 1))
    pair.sql(f"BEGIN; INSERT INTO {pair.table} VALUES ({row('k', 2)}); "
             f"UPDATE {pair.table} SET payload = '1'; "
             f"INSERT INTO {pair.table} VALUES ({row('k', 3)}); COMMIT")
    insert(pair, row("k", 4))
    stopped(pair)
    until(lambda: not pair.relay.running(), 30, "our relay ended")
    # it sends what its transaction had before; ours sends it whole, or nothing
    assert len(pair.sent(pair.theirs)["Order"]) <= 2
    assert len(pair.sent(pair.ours)["Order"]) == 1


def test_schema_that_is_published(pair):
    """And a generated column, which no stream tells: it is missing."""
    placed = "twice:header,type:header,twice:envelope"
    pair.make_table("(id uuid, aggregatetype text, aggregateid text, type text,"
                    " payload text, twice text GENERATED ALWAYS AS "
                    "(aggregateid || aggregateid) STORED)", schema="größe")
    pair.sql(f"DROP PUBLICATION {pair.name}; CREATE PUBLICATION {pair.name} "
             "FOR TABLES IN SCHEMA größe")
    pair.topics("Order")
    pair.start(router={PLACEMENT: placed,
                       "table.field.additional.missing": "ignore"},
               connector=JSON, outbox_placements=placed,
               outbox_missing="ignore", outbox_value="json")
    pair.compare(insert(pair, row("k", 1)))


def test_another_reader(pair):
    """Kafka's own console consumer prints the same of both."""
    placed = "payload:header:p,type:header,extra:header:é"
    pair.make_table("(id text, aggregatetype text, aggregateid text, type text, "
                    "payload text, extra bytea)")
    pair.topics("Order")
    pair.start(router={PLACEMENT: placed}, outbox_placements=placed)
    rows = insert(pair, *(f"{i}, 'Order', 'k', {t}, {p}, {b}" for i, t, p, b in (
        ("'1'", "'T'", "'plain'", "'a'"), ("NULL", "NULL", "NULL", "NULL"),
        ("''", "''", "''", "''"), ("'é'", "'日本'", "E'\t😀\n'", "'\xff00'"))),
        columns=COLUMNS + ", extra")
    pair.compare(rows)
    printed = [pair.kafka.console(prefix + "Order", rows)
               for prefix in (pair.theirs, pair.ours)]
    assert printed[0] == printed[1] and b"plain" in printed[0]


def test_what_is_different(pair):
    """As the README says: a key of bytes, a null where there is a DEFAULT,
    moments without end, a primary key that is changed."""
    placed = "d:header,m:header,z:header,b:header"
    pair.make_table("(id text PRIMARY KEY, aggregatetype text, aggregateid "
                    "bytea, type text, payload text, d text DEFAULT 'd', "
                    "m timestamp, z timestamptz, b date)")
    pair.topics("Order")
    pair.start(router={PLACEMENT: placed}, outbox_placements=placed)
    insert(pair, "'1', 'Order', '\\xc3bf', 'T', 'v', NULL, 'infinity', "
           "'-infinity', '-infinity'", columns=COLUMNS + ", d, m, z, b")
    pair.sql(f"UPDATE {pair.table} SET id = '2'")
    insert(pair, "'3', 'Order', 'k', 'T', 'v', '', now(), now(), now()",
           columns=COLUMNS + ", d, m, z, b")
    pair.wait_for(pair.theirs, 3, "Debezium")
    pair.wait_for(pair.ours, 2, "ours")
    sent = {side: {header(r, "id"): r for r in pair.sent(side)["Order"]}
            for side in (pair.theirs, pair.ours)}
    theirs, ours = (sent[side]["1"] for side in (pair.theirs, pair.ours))
    assert set(sent[pair.ours]) == {"1", "3"}
    assert sent[pair.theirs]["2"]["headers"][:2] == ["__debezium.oldkey",
                                                     '{"id":"1"}']
    assert theirs["key"].startswith("java.nio") and ours["key"] == "w78="
    assert theirs["headers"] == ["id", "1", "d", "d", "m", "9223372036825200000",
                                 "z", "-infinity", "b", "-2147472691"]
    assert ours["headers"] == ["id", "1", "d", None, "m", "infinity",
                               "z", "-infinity", "b", "-infinity"]
