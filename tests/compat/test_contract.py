"""The same transactions through the real Debezium and through our relay: what
arrives is equal byte for byte, for every option that the README claims."""

import json

import pytest

from application import DEFAULT, TYPED, TYPES, Application
from harness.kafka import header
from harness.wait import until
from pair import Pair

BINARY = {"value__converter": "io.debezium.converters.BinaryDataConverter"}
JSON = {"value__converter": "org.apache.kafka.connect.json.JsonConverter",
        "value__converter__schemas__enable": "false"}
KINDS = ("Order", "order", "CUSTOMER")
PLACEMENT = "table.fields.additional.placement"
TOMBSTONE = {"route.tombstone.on.empty.payload": "true"}


def run(pair, seed, payload, make=None, count=60):
    """Random transactions; returns the number of rows committed."""
    app = Application(pair.db, pair.table, seed)
    draw = {"jsonb": app.payload_json, "json": app.payload_json,
            "text": app.payload_text, "bytea": app.payload_bytea}[payload]
    app.transactions(count, make(app, draw) if make else
                     lambda cur: app.insert(cur, draw()))
    return app.rows


def with_types(app, draw):
    return lambda cur: app.insert(
        cur, draw(), part=app.rng.choice([None, 0, 1, 2, 3]), **app.typed())


@pytest.mark.parametrize("change", [
    {"partition": 1}, {"key": "l"}, {"key": None}, {"payload": None},
    {"payload": ""}, {"headers": ["id", "1", "x", None]},
    {"headers": ["ID", "1"]}, {"headers": None}])
def test_the_comparison_bites(change):
    record = {"partition": 0, "key": "k", "headers": ["id", "1"],
              "payload": "v"}
    other = {**record, "headers": ["id", "2"]}
    same = [dict(record), dict(other)]
    Pair.compare_topic(None, "t", [record, other], same)
    for wrong in ([{**record, **change}, other], [other, record], [record],
                  [record, other, other]):
        with pytest.raises(AssertionError):
            Pair.compare_topic(None, "t", [record, other], wrong)


@pytest.mark.parametrize("payload", ["jsonb", "json", "text"])
def test_default_columns(pair, seed, payload):
    pair.make_table(DEFAULT, payload)
    pair.topics(*KINDS)
    pair.start()
    pair.compare(run(pair, seed, payload))


def test_bytea_payload(pair, seed):
    pair.make_table(DEFAULT, "bytea")
    pair.topics(*KINDS)
    pair.start(connector=BINARY)
    pair.compare(run(pair, seed, "bytea"))


@pytest.mark.parametrize("payload", ["jsonb", "text", "bytea"])
def test_tombstones(pair, seed, payload):
    pair.make_table(DEFAULT, payload)
    pair.topics(*KINDS)
    pair.start(router=TOMBSTONE, outbox_tombstone="true",
               connector=BINARY if payload == "bytea" else {})
    ours = pair.compare(run(pair, seed, payload))
    assert any(r["payload"] is None for r in sum(ours.values(), []))


def test_insert_and_delete(pair, seed):
    """Rows that are gone before their transaction ends, and after it; the
    publication tells everything, as Debezium's own does, of another table too."""
    pair.make_table(DEFAULT)
    pair.sql(f"CREATE TABLE {pair.name}_other (LIKE {pair.table})")
    pair.sql(f"ALTER PUBLICATION {pair.name} ADD TABLE {pair.name}_other")
    pair.sql(f"ALTER PUBLICATION {pair.name} SET (publish = "
             "'insert, update, delete, truncate')")
    pair.topics(*KINDS)
    pair.start()

    def make(app, draw):
        def one(cur):
            row = app.insert(cur, draw())
            if app.rng.random() < 0.7:
                cur.execute(f"DELETE FROM {pair.table} WHERE id = %s",
                            (row["id"],))
        return one
    rows = run(pair, seed, "jsonb", make)
    pair.sql(f"INSERT INTO {pair.name}_other SELECT * FROM {pair.table}")
    pair.sql(f"DELETE FROM {pair.table}")
    rows += run(pair, seed + 1, "jsonb", make, count=5)
    pair.sql(f"TRUNCATE {pair.table}")
    rows += run(pair, seed + 2, "jsonb", make, count=5)
    pair.compare(rows)


def test_commit_order(pair, seed):
    """Transactions that commit in another order than they began."""
    pair.make_table(DEFAULT)
    pair.topics(*KINDS)
    pair.start()
    apps = [Application(pair.alone.connect(), pair.table, seed + n)
            for n in range(4)]
    rows = 0
    for _ in range(20):
        cursors = []
        for app in apps:
            app.db.autocommit = False
            cursors.append(app.db.cursor())
            app.insert(cursors[-1], app.payload_json(), aggregateid="hot")
        order = list(range(len(apps)))
        apps[0].rng.shuffle(order)
        for n in order:
            apps[n].insert(cursors[n], None, aggregateid="hot")
            apps[n].db.commit()
            rows += 2
    for app in apps:
        app.db.close()
    pair.compare(rows)


def test_names_of_table_and_columns(pair, seed):
    pair.make_table('("Event Id" bigint PRIMARY KEY, kind text NOT NULL, '
                    'owner bigint, what text, body text, extra int)',
                    schema='sales')
    pair.topics(*KINDS)
    pair.start(router={"table.field.event.id": "Event Id",
                       "table.field.event.key": "owner",
                       "table.field.event.payload": "body",
                       "route.by.field": "kind"},
               outbox_id="Event Id", outbox_key="owner",
               outbox_payload="body", outbox_route_by="kind")
    app = Application(pair.db, pair.table, seed, names={
        "id": "Event Id", "aggregatetype": "kind", "aggregateid": "owner",
        "type": "what", "payload": "body"})
    ids = iter(range(1, 10 ** 6))
    app.transactions(40, lambda cur: app.insert(
        cur, app.payload_text(), id=next(ids),
        aggregateid=app.rng.choice([None, 7, -3, 10 ** 12])))
    pair.compare(app.rows)


@pytest.mark.parametrize("regex,replacement,suffixes", [
    ("(?<routedByValue>.*)", "all.${routedByValue}",
     ["all." + k for k in KINDS]),
    ("([A-Za-z])(.*)", "$2.$1x", ["rder.Ox", "rder.ox", "USTOMER.Cx"]),
    ("(?i)order|C.*", "one", ["one"]),
])
def test_topics_by_expression(pair, seed, regex, replacement, suffixes):
    pair.make_table(DEFAULT)
    pair.topics(*suffixes)
    pair.start(router={"route.topic.regex": regex,
                       "route.topic.replacement": pair.theirs + replacement},
               outbox_topic_regex=regex,
               outbox_topic_replacement=pair.ours + replacement)
    pair.compare(run(pair, seed, "jsonb", count=30))


def test_columns_as_headers(pair, seed):
    placed = ",".join(["type:header:eventType"]
                      + [f"{t}:header" for t in TYPES])
    pair.make_table(TYPED)
    pair.topics(*KINDS)
    pair.start(router={PLACEMENT: placed}, outbox_placements=placed)
    pair.compare(run(pair, seed, "jsonb", with_types))


@pytest.mark.parametrize("payload", ["jsonb", "text", "bytea"])
def test_columns_in_an_envelope(pair, seed, payload):
    placed = ",".join(["type:envelope:eventType", "part:partition",
                       "type:header"] + [f"{t}:envelope" for t in TYPES])
    pair.make_table(TYPED, payload)
    pair.topics(*KINDS)
    pair.start(router={PLACEMENT: placed}, connector=JSON,
               outbox_placements=placed, outbox_value="json")
    pair.compare(run(pair, seed, payload, with_types))


def test_envelope_with_tombstones(pair, seed):
    placed = "type:envelope:kind \"é\""
    pair.make_table(TYPED, "text")
    pair.topics(*KINDS)
    pair.start(router={PLACEMENT: placed, **TOMBSTONE}, connector=JSON,
               outbox_placements=placed, outbox_value="json",
               outbox_tombstone="true")
    pair.compare(run(pair, seed, "text", with_types))


@pytest.mark.parametrize("payload", ["jsonb", "text", "bytea"])
def test_json_value_without_envelope(pair, seed, payload):
    pair.make_table(DEFAULT, payload)
    pair.topics(*KINDS)
    pair.start(connector=JSON, outbox_value="json")
    pair.compare(run(pair, seed, payload))


def test_column_as_partition(pair, seed):
    placed = "part:partition,type:header:eventType"
    pair.make_table(TYPED)
    pair.topics(*KINDS)
    pair.start(router={PLACEMENT: placed}, outbox_placements=placed)
    pair.compare(run(pair, seed, "jsonb", with_types))


def test_missing_column_ignored(pair, seed):
    placed = "nowhere:header,type:header,gone:envelope,part:partition"
    pair.make_table(DEFAULT)
    pair.topics(*KINDS)
    pair.start(router={PLACEMENT: placed,
                       "table.field.additional.missing": "ignore"},
               connector=JSON, outbox_placements=placed,
               outbox_missing="ignore", outbox_value="json")
    pair.compare(run(pair, seed, "jsonb", count=20))


def test_context_headers(pair, seed):
    """All but the run's id, which is drawn by each."""
    pair.make_table(DEFAULT)
    pair.topics("Order")
    pair.start(connector={"extended__headers__enabled": "true"},
               outbox_context=pair.name)
    app = Application(pair.db, pair.table, seed, kinds=("Order",))
    app.transactions(10, lambda cur: app.insert(cur, app.payload_json()))
    pair.wait_for(pair.theirs, app.rows, "Debezium")
    pair.wait_for(pair.ours, app.rows, "ours")
    theirs, ours = (pair.sent(p)["Order"] for p in (pair.theirs, pair.ours))
    for side in (theirs, ours):
        assert len({header(r, "__debezium.context.runId")
                    for r in side}) == 1
        for r in side:
            at = r["headers"].index("__debezium.context.runId")
            assert len(r["headers"][at + 1]) == 36
            r["headers"][at + 1] = "drawn"
    pair.compare_topic("Order", theirs, ours)


@pytest.mark.parametrize("behavior", ["warn", "error"])
def test_updates_are_passed_over(pair, seed, behavior):
    pair.make_table(DEFAULT)
    pair.topics(*KINDS)
    pair.start(router={"table.op.invalid.behavior": behavior},
               outbox_on_update=behavior)
    rows = run(pair, seed, "jsonb", count=5)
    pair.sql(f"UPDATE {pair.table} SET payload = '1'")
    rows += run(pair, seed + 1, "jsonb", count=5)
    pair.compare(rows)
    assert "event=relay.update " in pair.relay.logged()
    assert pair.relay.metric("relay_updates_total") > 0


def test_update_that_is_fatal(pair, seed):
    """What was committed before it arrives, nothing behind it does."""
    pair.make_table(DEFAULT)
    pair.topics(*KINDS)
    pair.start(router={"table.op.invalid.behavior": "fatal"},
               outbox_on_update="fatal")
    rows = run(pair, seed, "jsonb", count=5)
    pair.sql(f"UPDATE {pair.table} SET payload = '1'")
    run(pair, seed + 1, "jsonb", count=5)
    until(lambda: pair.connect.state(pair.name) == "FAILED", 30,
          "Debezium gave up")
    until(lambda: not pair.relay.running(), 30, "our relay ended")
    assert pair.relay.process.returncode == 78
    assert "outbox_on_update is fatal" in pair.relay.logged()
    pair.compare(rows)


def test_rows_of_before(pair, seed):
    """snapshot.mode=initial sends what lies there; the rest follows."""
    pair.make_table("(n bigserial, " + DEFAULT.strip()[1:])
    pair.topics(*KINDS)
    rows = run(pair, seed, "jsonb", count=20)
    pair.start_debezium(snapshot__mode="initial",
                        snapshot__select__statement__overrides=pair.table,
                        **{"snapshot__select__statement__overrides__"
                           + pair.table.replace(".", "__"):
                           f"SELECT * FROM {pair.table} ORDER BY n"})
    pair.start_relay(outbox_snapshot="initial", outbox_order_by="n")
    rows += run(pair, seed + 1, "jsonb", count=20)
    pair.compare(rows)


def test_cloudevents_headers(pair, seed):
    """Ours alone: Debezium's router has no such headers."""
    pair.make_table(DEFAULT)
    pair.topics("Order")
    pair.start_relay(outbox_cloudevents="/shop/orders")
    app = Application(pair.db, pair.table, seed, kinds=("Order",))
    with pair.db.cursor() as cur:
        row = app.insert(cur, json.dumps({"a": None, "b": []}),
                         aggregateid="o-1", type="Created")
    pair.wait_for(pair.ours, 1, "ours")
    record = pair.sent(pair.ours)["Order"][0]
    found = dict(zip(record["headers"][::2], record["headers"][1::2]))
    assert found.pop("ce_time").endswith("Z")
    assert found == {"id": row["id"], "ce_specversion": "1.0",
                     "ce_id": row["id"], "ce_source": "/shop/orders",
                     "ce_type": "Created", "ce_subject": "o-1",
                     "content-type": "application/json"}
