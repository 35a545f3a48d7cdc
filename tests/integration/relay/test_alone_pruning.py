"""Beside an application: letters that nobody needs any more go when an operator
says so, and never one whose row may be read again."""

import functools

import psycopg2
import pytest

from harness.wait import until


@pytest.fixture
def relay(shop_relay):
    return functools.partial(shop_relay, topic_wait="0s")


@pytest.fixture
def as_role(bare):
    made = []

    def connect(role):
        db = bare.cell.connect(role, bare.database)
        made.append(db)

        def run(text, args=()):
            with db.cursor() as cur:
                cur.execute(text, args or None)
                return cur.fetchall() if cur.description else None
        return run
    yield connect
    for db in made:
        db.close()


PRUNE = "SELECT source, state, letters FROM outbox_relay.prune_letters(" \
        "30, 'ann', 'INC-3', dry_run => %s)"


def letter(shop):
    """One of a row without a topic; (its row's id, its own)."""
    known = {x["letter_id"] for x in shop.letters()}
    row = shop.order(f"k{len(known)}", kind="Missing")
    [made] = until(lambda: [x["letter_id"] for x in shop.letters()
                            if x["letter_id"] not in known], 60, "the letter")
    return row, made


def decide(shop, *letters, days=40):
    shop.dlq("discard", *letters, "--reason", "junk", "--actor", "ann")
    shop.sql("UPDATE outbox_relay.letter_states SET changed_at = now() - "
             "%s * interval '1 day' WHERE letter_id = ANY (%s::uuid[])",
             (days, list(letters)))


def left(shop):
    return {row[0] for row in shop.sql(
        "SELECT letter_id::text FROM outbox_relay.dead_letters")}


def passed(shop):
    """The relay's position is behind all that was written until now."""
    (now,), = shop.sql("SELECT pg_current_wal_lsn()::text")
    until(lambda: shop.sql("SELECT outbox_relay.read_before() >= %s::pg_lsn",
                           (now,)) == [(True,)], 60, "the position moves")


def test_a_letter_goes_when_its_row_is_gone(shop, relay, as_role):
    daemon = relay()
    rows = [letter(shop) for _ in range(4)]
    (gone, gone_letter), (_, there), (_, pending), (_, young) = rows
    decide(shop, gone_letter, there)
    decide(shop, young, days=29)
    shop.sql("DELETE FROM outbox WHERE id <> %s", (rows[1][0],))
    passed(shop)
    operator = as_role("operator")
    would = [("public.outbox", "discarded", 1)]
    assert operator(PRUNE, (True,)) == would
    assert left(shop) == {x for _, x in rows}
    assert operator(PRUNE, (False,)) == would
    assert left(shop) == {there, pending, young}
    assert operator(PRUNE, (False,)) == []
    assert shop.sql(
        "SELECT actor, reason, (before->>'letters')::int FROM "
        "outbox_relay.audit_events WHERE action = 'prune_letters'") == [
            ("ann", "INC-3", 1)]
    # the row that is there does not come out after all
    assert daemon.stop() == 0
    shop.lose_slot()
    kafka_topic = f"{shop.prefix}Missing"
    shop.kafka.create(kafka_topic)
    relay()
    shop.order("k")
    shop.arrived()
    assert rows[1][0] not in shop.ids(kafka_topic)


def test_a_table_whose_name_needs_quotes(bare, relay, as_role):
    """As applications have them whose framework writes the SQL."""
    bare.sql('CREATE SCHEMA "My App"; ALTER TABLE outbox SET SCHEMA "My App"; '
             'ALTER TABLE "My App".outbox RENAME TO "MyOutbox"; '
             'CREATE VIEW outbox AS TABLE "My App"."MyOutbox"')
    bare.alone.install('"My App"."MyOutbox"', "outbox_relay")
    bare.order("k")
    relay(outbox_table="My App.MyOutbox")
    (gone, gone_letter), (_, there) = [letter(bare) for _ in range(2)]
    assert bare.arrived() == 0
    decide(bare, gone_letter, there)
    bare.sql("DELETE FROM outbox WHERE id = %s", (gone,))
    passed(bare)
    assert as_role("operator")(PRUNE, (False,)) == [
        ("My App.MyOutbox", "discarded", 1)]
    assert left(bare) == {there}


def test_a_letter_stays_while_its_row_may_be_read_from_the_wal(
        shop, relay, as_role):
    daemon = relay()
    row, made = letter(shop)
    decide(shop, made)
    shop.sql("DELETE FROM outbox")
    passed(shop)
    assert daemon.stop() == 0
    # another relay of this schema, which stands before it
    shop.sql("INSERT INTO outbox_relay.relay_progress (slot) "
             "SELECT %s", (shop.slot + "b",))
    shop.sql("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')",
             (shop.slot + "b",))
    shop.sql("UPDATE outbox_relay.dead_letters SET parked_lsn = "
             "pg_current_wal_insert_lsn() + 1000")
    operator = as_role("operator")
    assert operator(PRUNE, (False,)) == []
    shop.sql("SELECT pg_drop_replication_slot(%s)", (shop.slot + "b",))
    shop.sql("UPDATE outbox_relay.dead_letters SET parked_lsn = '0/1'")
    assert operator(PRUNE, (False,)) == [("public.outbox", "discarded", 1)]


def test_a_table_whose_rows_cannot_be_looked_up_keeps_its_letters(
        bare, relay, as_role):
    bare.sql("ALTER TABLE outbox DROP CONSTRAINT outbox_pkey, "
             "ALTER id DROP NOT NULL")
    bare.alone.install("public.outbox", "outbox_relay")
    relay()
    _, made = letter(bare)
    decide(bare, made)
    bare.sql("DELETE FROM outbox")
    passed(bare)
    operator = as_role("operator")
    assert operator(PRUNE, (False,)) == []
    bare.sql("ALTER TABLE outbox ALTER id SET NOT NULL")
    bare.alone.install("public.outbox", "outbox_relay")
    assert operator(PRUNE, (False,)) == [("public.outbox", "discarded", 1)]


def test_polled_rows_are_gone_when_they_are_parked(bare, relay, as_role):
    bare.poll()
    relay(source="poll")
    _, made = letter(bare)
    until(lambda: bare.left() == 0, 60, "the row is deleted")
    decide(bare, made)
    assert as_role("operator")(PRUNE, (False,)) == [
        ("public.outbox", "discarded", 1)]


def test_an_id_of_any_length(bare, relay, as_role):
    """A long one is known by its digest."""
    bare.sql("ALTER TABLE outbox ALTER id TYPE varchar(200)")
    bare.alone.install("public.outbox", "outbox_relay")
    relay()
    for n in range(2):
        bare.sql("INSERT INTO outbox (id, aggregatetype, aggregateid, type) "
                 "VALUES (%s, 'Missing', %s, 'Created')",
                 ("x" * 70 + str(n), f"k{n}"))
    letters = until(lambda: (x := bare.letters()) and len(x) == 2 and x, 60,
                    "the letters")
    decide(bare, *(x["letter_id"] for x in letters))
    bare.sql("DELETE FROM outbox WHERE aggregateid = 'k0'")
    passed(bare)
    assert as_role("operator")(PRUNE, (False,)) == [
        ("public.outbox", "discarded", 1)]
    assert bare.sql("SELECT convert_from(record_key, 'UTF8') FROM "
                    "outbox_relay.dead_letters") == [("k1",)]


def test_who_may_and_how(shop, as_role):
    operator, relay = as_role("operator"), as_role("relay")
    for keep in (0, None):
        with pytest.raises(psycopg2.errors.InvalidParameterValue,
                           match="1 at least"):
            operator("SELECT outbox_relay.prune_letters(%s, 'ann', 'r')",
                     (keep,))
    with pytest.raises(psycopg2.errors.InvalidParameterValue):
        operator("SELECT outbox_relay.prune_letters(30, 'ann', '')")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        relay("SELECT outbox_relay.prune_letters(30, 'ann', 'r')")
    for hidden in ("rows_named('public.outbox', 'id', '{}')", "read_before()"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            operator(f"SELECT outbox_relay.{hidden}")
