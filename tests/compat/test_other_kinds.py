"""Statements, tables, columns and settings of other kinds than test_contract.py
plays."""

import pytest

from application import DEFAULT, Application
from harness.alone import Alone
from pair import Pair
from statements import Statements
from test_contract import BINARY, JSON, PLACEMENT

COLUMNS = "id, aggregatetype, aggregateid, type, payload"


def insert(pair, *rows, columns=COLUMNS):
    """Each a transaction of its own; values as SQL."""
    for values in rows:
        pair.sql(f"INSERT INTO {pair.table} ({columns}) VALUES ({values})")
    return len(rows)


def row(key, payload):
    return f"gen_random_uuid(), 'Order', '{key}', 'T', '{payload}'"


def test_statements(pair, seed):
    pair.make_table(DEFAULT)
    pair.sql(f"ALTER PUBLICATION {pair.name} SET (publish = "
             "'insert, update, delete, truncate')")
    pair.topics("Order")
    # where Debezium tells of pg_logical_emit_message()
    pair.kafka.create(f"{pair.name}.message")
    pair.start()
    pair.compare(Statements(Application(pair.db, pair.table, seed)).play(3))


def test_large_transactions_and_values(pair):
    """Spilled by the server, and toasted."""
    pair.make_table(DEFAULT)
    pair.topics("Order")
    pair.sql("ALTER ROLE ch_relay SET logical_decoding_work_mem = '64kB'")
    try:
        pair.start()
    finally:
        pair.sql("ALTER ROLE ch_relay RESET logical_decoding_work_mem")
    pair.sql(f"INSERT INTO {pair.table} SELECT gen_random_uuid(), 'Order', 'k' "
             "|| mod(n, 50), 'T', jsonb_build_object('n', n, 'pad', "
             "repeat('x', 100)) FROM generate_series(1, 3000) n")
    many = "SELECT string_agg(md5(n::text), '') FROM generate_series(1, %d) n"
    for n in (100, 3000, 28000):
        pair.sql(f"INSERT INTO {pair.table} VALUES (gen_random_uuid(), 'Order', "
                 f"'toast', 'T', to_jsonb(repeat('é', {16 * n}))), "
                 "(gen_random_uuid(), 'Order', 'toast', 'T', "
                 f"to_jsonb(({many % n})))")
    pair.compare(3006)


# the values of columns of the application's types, and of moments
OTHER = {
    "mood": ["'ha ppy'", "'sad'"], "word": ["'w'", "''"],
    "word_of_word": ["'e'"], "citext": ["'CiT'"], "any_case": ["'cI'"],
    "tree": ["'{\"a\": 1.0}'"], "counted": ["-7"], "at_ms":
    ["'1969-12-31 23:59:59.5'"],
    **{f"timestamp({n})": ["'2026-01-02 03:04:05.678951'",
                           "'1969-12-31 23:59:59.5'", "'0044-03-15 BC'",
                           "'12000-01-01'", "'1582-10-10'"] for n in range(7)},
    **{f"timestamptz({n})": [
        "'2026-01-02 03:04:05.678951+02'", "'1500-03-01+00'", "'0001-01-01+00'",
        "'0044-03-15+00 BC'", "'9999-12-31 23:59:59+00'", "'12000-01-01+00'",
        "'294276-12-31+00'", "'4713-01-02+00 BC'"] for n in range(7)},
}


@pytest.mark.usefixtures("own_types")
def test_types_of_the_application(pair, seed):
    names = [f"c{n}" for n in range(len(OTHER))]
    placed = ",".join(["type:header", "part:partition"] + [
        f"{n}:header,{n}:envelope" for n in names])
    pair.make_table(
        "(id any_case, aggregatetype mood, aggregateid word_of_word, type mood, "
        "payload tree, part counted, " + ", ".join(
            f"{n} {t}" for n, t in zip(names, OTHER)) + ")")
    pair.topics("Order")
    pair.start(router={PLACEMENT: placed}, connector=JSON,
               outbox_placements=placed, outbox_value="json")
    rng = Application(pair.db, pair.table, seed).rng
    rows = [["'Id'", "'Order'", f"'k{n}'", "'sad'", "'[]'", str(n % 4)] + [
        values[n % len(values)] if rng.random() < 0.8 else "NULL"
        for values in OTHER.values()] for n in range(16)]
    pair.compare(insert(pair, *(", ".join(r) for r in rows),
                        columns=", ".join([COLUMNS, "part"] + names)))


@pytest.mark.usefixtures("own_types")
@pytest.mark.parametrize("type_name", ["mood", "timestamptz(2)", "bool", "int8"])
def test_types_as_key_and_payload(pair, type_name):
    value = {"bool": "true", "int8": "-9223372036854775808"}.get(
        type_name) or OTHER[type_name][0]
    pair.make_table(f"(id {type_name}, aggregatetype text, aggregateid "
                    f"{type_name}, type text, payload {type_name})")
    pair.topics("Order")
    pair.start()
    pair.compare(insert(pair, f"{value}, 'Order', {value}, 'T', {value}",
                        f"NULL, 'Order', {value}, 'T', NULL"))


def test_odd_texts(pair):
    """As id, key and value; without any of them."""
    pair.make_table("(payload text, type text, aggregateid text, id text, "
                    "aggregatetype text)")
    pair.topics("Order", "")
    pair.start()
    texts = ["''", "' '", "'é'", "'ключ-日本'", "'😀'", "repeat('k', 5000)",
             "E'k\\n\\t'", "E'\\x01'", "E'\\\\u0000'",
             "E'\\U0001F468\\u200d'", "E'\\uFEFFbom'", "'1.0'", "'1e400'",
             "'null'", "NULL"]
    pair.compare(insert(
        pair, *(f"{t}, 'Order', {t}, 'T', {t}" for t in texts),
        "'1', '', 'k', NULL, 'x'"))


def test_numbers_and_escapes_in_json(pair):
    placed = "payload:header:copy,payload:envelope:again"
    pair.make_table(DEFAULT, "json")
    pair.topics("Order")
    pair.start(router={PLACEMENT: placed}, connector=JSON,
               outbox_placements=placed, outbox_value="json")
    texts = ["1e400", "1.00", "-0.0", "123456789012345678901234567890", "1E+2",
             '{"b":1,"a":2,"a":[null,{}]}', ' [1, 2\n,3 ] ', '"\\u0000"',
             '"\\ud83d\\ude00"', '"<>&\\/\u2028\x7f"', '"\\b\\f"', "null"]
    for text in texts:
        pair.sql(f"INSERT INTO {pair.table} VALUES (gen_random_uuid(), 'Order', "
                 "'k', 'T', %s)", (text,))
    pair.compare(len(texts))


def test_columns_that_change_meanwhile(pair):
    placed = "type:header:eventType"
    pair.make_table(DEFAULT)
    pair.topics("Order")
    pair.start(router={PLACEMENT: placed}, outbox_placements=placed)
    t, rows = pair.table, insert(pair, row("k", 1))
    for change in ("ADD x int DEFAULT 5, ADD y numeric",
                   "DROP x", "RENAME y TO z", "ALTER aggregateid TYPE text",
                   "ALTER type TYPE varchar(10)",
                   "ALTER payload TYPE text USING payload::text"):
        pair.sql(f"ALTER TABLE {t} {change}")
        rows += insert(pair, row("k", 2))
    pair.sql(f"BEGIN; INSERT INTO {t} ({COLUMNS}) VALUES ({row('k', 3)});"
             f"ALTER TABLE {t} ADD q text DEFAULT 'q';"
             f"INSERT INTO {t} ({COLUMNS}) VALUES ({row('k', 4)});"
             f"ALTER TABLE {t} DROP q;"
             f"INSERT INTO {t} ({COLUMNS}) VALUES ({row('k', 5)}); COMMIT")
    pair.compare(rows + 3)


def test_partitions_of_other_shapes(pair):
    """Columns in another order, dropped ones, two levels, a default one; by
    COPY too; a partition that is dropped, a row that is moved."""
    name, t = pair.name, pair.table
    pair.sql(f"CREATE TABLE {t} (junk int, id uuid, aggregatetype text, "
             "aggregateid text, type text, payload jsonb, at date NOT NULL, "
             "PRIMARY KEY (id, at)) PARTITION BY RANGE (at);"
             f"CREATE TABLE {name}_a PARTITION OF {t} FOR VALUES FROM "
             "('2026-01-01') TO ('2026-02-01');"
             f"CREATE TABLE {name}_b (at date NOT NULL, payload jsonb, type "
             "text, aggregateid text, x int, aggregatetype text, id uuid NOT "
             "NULL, junk int);"
             f"ALTER TABLE {name}_b DROP x;"
             f"ALTER TABLE {t} ATTACH PARTITION {name}_b FOR VALUES FROM "
             "('2026-02-01') TO ('2026-03-01');"
             f"ALTER TABLE {t} DROP junk;"
             f"CREATE TABLE {name}_d PARTITION OF {t} DEFAULT PARTITION BY HASH "
             f"(id); CREATE TABLE {name}_d0 PARTITION OF {name}_d FOR VALUES "
             "WITH (MODULUS 1, REMAINDER 0)")
    pair.alone.install(t, name)
    pair.sql(f"ALTER PUBLICATION {name} SET (publish = "
             "'insert, update, delete, truncate')")
    pair.topics("Order")
    pair.start(router={PLACEMENT: "type:header"},
               outbox_placements="type:header")
    columns = COLUMNS + ", at"
    pair.sql(f"INSERT INTO {t} ({columns}) SELECT gen_random_uuid(), 'Order', "
             "'k' || mod(n, 4), 't', to_jsonb(n), '2026-01-15'::date + 7 * n "
             "FROM generate_series(1, 20) n")
    rows = 20 + insert(pair, *(f"{row('k', n)}, '2026-01-15'::date + {n} * 7"
                               for n in range(10)), columns=columns)
    pair.sql(f"DROP TABLE {name}_a")
    rows += insert(pair, row("k", 0) + ", '2026-02-28'", columns=columns)
    pair.sql(f"UPDATE {t} SET at = '2026-03-20' WHERE at = '2026-02-28'")
    pair.compare(rows + 1)


SETTINGS = {"TimeZone": "'America/St_Johns'", "IntervalStyle": "'iso_8601'",
            "extra_float_digits": "0", "client_encoding": "'LATIN1'",
            "xmlbinary": "'hex'", "standard_conforming_strings": "off"}


@pytest.mark.parametrize("of", ["DATABASE {0}", "ROLE ch_relay IN DATABASE {0}"])
def test_settings(pair, of):
    """Those with which Debezium lives: DateStyle and bytea_output end it."""
    placed = "type:header,d:header,c:header"
    target = of.format(pair.alone.name)
    pair.make_table("(id text, aggregatetype text, aggregateid timestamptz, "
                    "type timestamp, payload bytea, d date, c text)")
    pair.topics("Order")
    try:
        for name, value in SETTINGS.items():
            pair.sql(f"ALTER {target} SET {name} = {value}")
        pair.start(router={PLACEMENT: placed}, connector=BINARY,
                   outbox_placements=placed)
    finally:
        for name in SETTINGS:
            pair.sql(f"ALTER {target} RESET {name}")
    pair.compare(insert(
        pair, "'é', 'Order', '2026-01-02 03:04:05.5+02', "
        "'2026-03-29 02:30:00', '\\x00ff5c27', '2026-01-02', 'ñ日'",
        columns=COLUMNS + ", d, c"))


def test_database_of_another_encoding(cell, kafka, connect, daemons):
    other = Alone(cell, "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
    pair = Pair(other, kafka, connect, daemons)
    placed = "tÿpe:header:tÿ,tÿpe:envelope,j:envelope"
    try:
        pair.make_table('(id text, aggregatetype text, aggregateid text, '
                        '"tÿpe" text, payload text, j jsonb)')
        pair.topics("Order")
        pair.start(router={PLACEMENT: placed}, connector=JSON,
                   outbox_placements=placed, outbox_value="json")
        pair.compare(insert(
            pair, "'é', 'Order', 'ü', 'ñ', 'ß', '{\"é\": \"\\u00e9\"}'",
            columns='id, aggregatetype, aggregateid, "tÿpe", payload, j'))
    finally:
        pair.close()
        cell.drop_database(other.name)


def test_names_with_quotes(pair):
    """Of the schema and the table."""
    schema, table = "My App", f"{pair.name} \"Out\"box"
    pair.sql(f'CREATE SCHEMA "{schema}"')
    quoted = '"' + table.replace('"', '""') + '"'
    pair.table = f'"{schema}".{quoted}'
    pair.sql(f"CREATE TABLE {pair.table} {DEFAULT.format(payload='jsonb')}")
    pair.alone.install(pair.table, pair.name)
    pair.topics("Order")
    pair.start_debezium(table__include__list=f"{schema}.{table}")
    pair.start_relay(outbox_table=f"{schema}.{table}")
    pair.compare(insert(pair, row("k", 1), row("k", 2)))
