"""Moving from Debezium to our relay and back, as the README tells operators to:
one slot, one publication, nothing lost; doubled only what was sent and not yet
acknowledged to PostgreSQL, with the same ids."""

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


def confirmed(pair, slot):
    """Everything up to now is acknowledged to the slot."""
    now = pair.sql("SELECT pg_current_wal_insert_lsn()")[0][0]

    def there():
        # an idle stream moves with what others write
        pair.sql("SELECT txid_current()")
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
    and resumed by its worker, the relay installed beside it."""
    pair = Pair(Alone(cell), kafka, connect, daemons)
    try:
        there_and_back_by_the_page(pair, seed)
    finally:
        pair.close()
        cell.drop_database(pair.alone.name)


def there_and_back_by_the_page(pair, seed):
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
    confirmed(pair, slot)
    pair.connect.ask("PUT", f"/connectors/{pair.name}/stop")
    until(lambda: not pair.slot_active(slot), 30, "Debezium left the slot")

    second = written(pair, app)
    relay = pair.start_relay(slot=slot, publication=all_tables)
    second += written(pair, app)
    pair.wait_for(pair.ours, len(second), "ours")
    assert relay.stop() == 0
    until(lambda: not pair.slot_active(slot), 30, "our relay left the slot")

    third = written(pair, app)
    pair.connect.ask("PUT", f"/connectors/{pair.name}/resume")
    third += written(pair, app)
    pair.wait_for(pair.theirs, len(first + third), "Debezium")
    assert ids_of_keys(pair, pair.theirs) == first + third
