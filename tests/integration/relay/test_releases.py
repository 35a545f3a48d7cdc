"""Many blocked keys are released: they flow in order, others flow meanwhile,
and the relay lives."""

from harness.kafka import header
from harness.wait import until

BLOCKED = 60000


def one_partition(cell):
    """A topic whose records have one order."""
    topic = cell.prefix + "many"
    cell.kafka.create(topic, partitions=1)
    return topic


def block(cell, topic, keys, rows=1):
    """As a relay leaves them that had lost its right to the topic: a letter a
    key, and so many rows behind each."""
    cell.sql(
        "INSERT INTO dead_letters (letter_id, source, row_id, topic, "
        "record_key, value, error_class, reason, attempts, blocks_key) "
        "SELECT gen_random_uuid(), 'outbox', gen_random_uuid()::text, %s, "
        "convert_to('b' || i, 'UTF8'), 'v', 'topic', 'r', 3, true "
        "FROM generate_series(1, %s) i", (topic, keys))
    cell.sql(
        "INSERT INTO outbox_retry (blocked_by, source, row_id, topic, "
        "record_key, value, header_names, header_values) "
        "SELECT letter_id, source, row_id || '-' || n, topic, record_key, "
        "convert_to(n::text, 'UTF8'), ARRAY['id'::bytea], "
        "ARRAY[convert_to(row_id || '-' || n, 'UTF8')] "
        "FROM generate_series(1, %s) n CROSS JOIN dead_letters", (rows,))


def decide(cell):
    cell.sql("INSERT INTO letter_states (letter_id, state, actor, reason) "
             "SELECT letter_id, 'discarded', 'ann', 'r' FROM dead_letters")


def test_others_flow_while_many_keys_are_released(relay_cell, relay):
    cell = relay_cell
    topic = one_partition(cell)
    block(cell, topic, BLOCKED)
    daemon = relay()
    daemon.wait_metric(BLOCKED, "relay_blocked_keys")
    decide(cell)
    others = []

    def released():
        daemon.assert_running()
        assert daemon.get("/livez")[0] in (0, 200)
        others.append(cell.event(f"o{len(others) % 7}", "many"))
        return daemon.metric("relay_keys_released_total") == BLOCKED
    until(released, 300, "all are released")
    cell.arrived()
    until(lambda: cell.sql("SELECT count(*) FROM outbox_retry") == [(0,)],
          60, "and swept")
    daemon.wait_metric(0, "relay_blocked_keys")
    lost = [line for line in daemon.logged().splitlines()
            if "relay.stream_lost" in line or "relay.session_lost" in line]
    assert lost == [] and daemon.metric("relay_streams_total") == 1
    # some came between the first and the last of the released
    ids = cell.ids(topic)
    last = max(n for n, i in enumerate(ids) if i not in others)
    assert len(set(ids)) == BLOCKED + len(others)
    assert len(set(ids[:last]) & set(others)) > 1


def test_released_keys_keep_their_order_while_events_come(relay_cell, relay):
    """Each has more rows than a page of all keys holds of one, and goes on."""
    cell, keys, rows = relay_cell, 300, 30
    topic = one_partition(cell)
    block(cell, topic, keys, rows)
    daemon = relay()
    daemon.wait_metric(keys, "relay_blocked_keys")
    decide(cell)
    later = {}

    def released():
        for n in range(1, 20):
            later.setdefault(f"b{n}", []).append(cell.event(f"b{n}", "many"))
        return daemon.metric("relay_keys_released_total") == keys
    until(released, 120, "all are released")
    last = [cell.event(f"b{n}", "many") for n in range(1, keys + 1)]
    until(lambda: set(last) <= set(cell.ids(topic)), 120, "all came")
    seen = {}
    for r in cell.records(topic):
        seen.setdefault(r["key"], []).append((header(r, "id"), r["payload"]))
    for n in range(1, keys + 1):
        got = list(dict.fromkeys(seen[f"b{n}"]))
        assert [p for _, p in got[:rows]] == [
            str(i) for i in range(1, rows + 1)]
        assert [i for i, _ in got[rows:]] == [
            *later.get(f"b{n}", []), last[n - 1]]
