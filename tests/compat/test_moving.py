"""Moving from Debezium to our relay and back, as the README tells operators to:
one slot, one publication, nothing lost; doubled only what was sent and not yet
acknowledged to PostgreSQL, with the same ids."""

import contextlib

from application import DEFAULT, Application
from harness.alone import Alone
from harness.kafka import header
from harness.wait import until
from pair import Pair


def ids_of(pair, prefix):
    return [header(r, "id") for r in pair.sent(prefix)["Order"]]


def written(pair, app, count=20):
    before = set(ids(pair))
    app.transactions(count, lambda cur: app.insert(cur, app.payload_json()))
    return [i for i in ids(pair) if i not in before]


def ids(pair):
    """In the order of commits of one connection: that of insertion."""
    return [str(r[0]) for r in
            pair.sql(f"SELECT id FROM {pair.table} ORDER BY n")]


def confirmed(pair, slot, others="SELECT txid_current()"):
    """Everything up to now is acknowledged to the slot. others: what others
    write meanwhile, with which an idle stream moves."""
    now = pair.sql("SELECT pg_current_wal_insert_lsn()")[0][0]

    def there():
        pair.sql(others)
        return pair.sql("SELECT confirmed_flush_lsn >= %s FROM "
                        "pg_replication_slots WHERE slot_name = %s",
                        (now, slot))[0][0]
    until(there, 60, f"{slot} is acknowledged", every=0.3)


def begin(pair, seed):
    pair.make_table("(n bigserial, " + DEFAULT.strip()[1:])
    pair.topics("Order")
    return Application(pair.db, pair.table, seed, kinds=("Order",)), \
        pair.slot("one")


def test_from_debezium_and_back(pair, seed):
    app, slot = begin(pair, seed)
    pair.kafka.create(f"__debezium-heartbeat.{pair.name}", partitions=1)
    pair.start_debezium(slot=slot, heartbeat__interval__ms="200")
    first = written(pair, app)
    pair.wait_for(pair.theirs, len(first), "Debezium")
    confirmed(pair, slot)
    pair.stop_debezium()
    until(lambda: not pair.slot_active(slot), 30, "Debezium left the slot")

    second = written(pair, app)  # nobody reads
    relay = pair.start_relay(slot=slot)
    third = written(pair, app)
    pair.wait_for(pair.ours, len(second + third), "ours")
    assert ids_of_keys(pair, pair.ours) == second + third
    assert relay.stop() == 0
    until(lambda: not pair.slot_active(slot), 30, "our relay left the slot")

    fourth = written(pair, app)
    # the connector of before, whose stored offset is older than the slot's
    pair.start_debezium(slot=slot)
    pair.wait_for(pair.theirs, len(first + fourth), "Debezium")
    fifth = written(pair, app)
    pair.wait_for(pair.theirs, len(first + fourth + fifth), "Debezium")
    assert ids_of_keys(pair, pair.theirs) == first + fourth + fifth


def ids_of_keys(pair, prefix):
    """Each id once, in the order of their rows; per key that of the topic."""
    got = ids_of(pair, prefix)
    order = {row: n for n, row in enumerate(ids(pair))}
    assert len(got) == len(set(got)), "doubled"
    keys = {}
    for r in pair.sent(prefix)["Order"]:
        if r["key"] is not None:
            keys.setdefault(r["key"], []).append(order[header(r, "id")])
    assert all(seen == sorted(seen) for seen in keys.values())
    return sorted(got, key=order.get)


def test_killed_on_the_way(pair, seed):
    """kill -9 of ours, Debezium goes on: none lost, doubles have their ids."""
    app, slot = begin(pair, seed)
    pair.start_relay(slot=slot)
    first = written(pair, app, count=60)
    pair.relay.kill()
    until(lambda: not pair.slot_active(slot), 60, "the slot is free")
    second = written(pair, app)
    pair.start_debezium(slot=slot)

    def all_there():
        seen = set(ids_of(pair, pair.ours)) | set(ids_of(pair, pair.theirs))
        return set(first + second) <= seen
    until(all_there, 40, "every row at one of the two", every=0.3)
    assert set(ids_of(pair, pair.theirs)) <= set(first + second)


def test_by_the_page(cell, kafka, connect, daemons, seed):
    """docs/alone.md, literally: a publication of all tables, Debezium stopped
    and resumed by its worker, the relay installed beside it, for so long that
    the connector's stored offset is out of reach."""
    pair = Pair(Alone(cell), kafka, connect, daemons)
    try:
        there_and_back_by_the_page(pair, cell, seed)
    finally:
        pair.close()
        cell.drop_database(pair.alone.name)


def leave_behind(pair, cell, slot):
    """As after some minutes: the slot cannot begin any more where Debezium's
    stored offset is, which it would refuse."""
    behind = ("SELECT restart_lsn > %s FROM pg_replication_slots "
              "WHERE slot_name = %s")
    now = pair.sql("SELECT pg_current_wal_insert_lsn()")[0][0]
    with contextlib.closing(cell.connect("superuser", pair.alone.name)) as db:
        def passed():
            with db.cursor() as cur:
                cur.execute("CHECKPOINT")  # which writes what runs into the WAL
            return pair.sql(behind, (now, slot))[0][0]
        until(passed, 60, "the slot has moved on", every=0.3)


def there_and_back_by_the_page(pair, cell, seed):
    slot, all_tables = pair.slot("one"), f"{pair.name}_all"
    pair.sql(f"CREATE TABLE {pair.table} (n bigserial, "
             + DEFAULT.format(payload="jsonb").strip()[1:])
    pair.sql(f"CREATE PUBLICATION {all_tables} FOR ALL TABLES;"
             f"GRANT SELECT ON {pair.table} TO ch_relay")
    pair.topics("Order")
    pair.kafka.create(f"__debezium-heartbeat.{pair.name}", partitions=1)
    app = Application(pair.db, pair.table, seed, kinds=("Order",))
    pair.start_debezium(slot=slot, publication__name=all_tables,
                        heartbeat__interval__ms="200")
    first = written(pair, app)
    pair.wait_for(pair.theirs, len(first), "Debezium")
    pair.alone.install(pair.table, pair.name)
    # of all tables Debezium acknowledges what one of them brings
    pair.sql(f"CREATE TABLE {pair.name}_other (n int)")
    confirmed(pair, slot, f"INSERT INTO {pair.name}_other VALUES (1)")
    pair.connect.ask("PUT", f"/connectors/{pair.name}/stop")
    until(lambda: not pair.slot_active(slot), 30, "Debezium left the slot")

    second = written(pair, app)
    relay = pair.start_relay(slot=slot, publication=all_tables)
    second += written(pair, app)
    pair.wait_for(pair.ours, len(second), "ours")
    leave_behind(pair, cell, slot)
    assert relay.stop() == 0
    until(lambda: not pair.slot_active(slot), 30, "our relay left the slot")

    third = written(pair, app)
    here = f"/connectors/{pair.name}"
    assert pair.connect.ask("DELETE", f"{here}/offsets")[0] == 200
    config = pair.connect.ask("GET", f"{here}/config")[1]
    pair.connect.add(pair.name, {**config, "snapshot.mode": "no_data"})
    assert pair.connect.ask("PUT", f"{here}/resume")[0] == 202
    third += written(pair, app)
    pair.wait_for(pair.theirs, len(first + third), "Debezium")
    assert ids_of_keys(pair, pair.theirs) == first + third
