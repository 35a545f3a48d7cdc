"""An application's outbox in time partitions: made ahead, dropped when all in
them is delivered and nobody can want them again, never before."""

import json
import subprocess
import uuid
from datetime import timedelta

import psycopg2
import pytest

from harness.alone import INSTALL
from harness.wait import until

OLD = "date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' " \
      "- interval '20 days'"


@pytest.fixture
def shop(bare):
    """Partitioned in place, with a partition of 20 days ago."""
    install(bare)
    old_partition(bare)
    return bare


@pytest.fixture
def relay(shop_relay):
    return shop_relay


@pytest.fixture
def as_relay(bare):
    """The relay's own role, by its password."""
    db = psycopg2.connect(bare.alone.url())
    db.autocommit = True
    yield lambda text, args=(): ask(db, text, args)
    db.close()


def ask(db, text, args=()):
    with db.cursor() as cur:
        cur.execute(text, args)
        return cur.fetchall() if cur.description else None


def install(shop, **more):
    shop.alone.install("public.outbox", "outbox_relay", partitions=1, **more)


def old_partition(shop):
    """As if it had been made 20 days ago: the table of before the partitions
    has all earlier times, and gives its place up."""
    shop.sql("ALTER TABLE outbox DETACH PARTITION outbox_before")
    shop.sql("DROP TABLE outbox_before")
    shop.sql("SELECT outbox_relay.make_partition(t, " + OLD + ") "
             "FROM outbox_relay.partitioned_tables t")
    shop.sql("SELECT outbox_relay.ensure_partitions()")
    [(name,)] = shop.sql(
        "SELECT part::text FROM outbox_relay.partitions_of('outbox') "
        "WHERE lower = " + OLD)
    shop.old = f"public.{name}"


def insert_then(shop, key="k1", kind="Order"):
    """A row of the old partition; its id."""
    row_id = str(uuid.uuid4())
    shop.sql("INSERT INTO outbox (id, aggregatetype, aggregateid, type, "
             f"payload, created_at) VALUES (%s, %s, %s, 'Created', '1', {OLD})",
             (row_id, kind, key))
    if kind == "Order":
        shop.sent.append((shop.topic, key, row_id))
    return row_id


def due(sql, dry_run=False):
    """{partition: (done, why)}"""
    return {row[0]: row[1:3] for row in sql(
        "SELECT partition, done, why FROM outbox_relay.drop_due_partitions("
        "'a test', 'its days are over', %s)", (dry_run,))}


def partitions(shop):
    return {f"public.{row[0]}" for row in shop.sql(
        "SELECT part::text FROM outbox_relay.partitions_of('outbox')")}


def dropped(shop, sql):
    """Asks until it is gone: the relay's position moves on by itself."""
    until(lambda: due(sql).get(shop.old, ("",))[0] == "dropped"
          or shop.old not in partitions(shop), 60, "the partition is dropped",
          every=0.3)


def test_the_table_is_partitioned_in_place(bare, relay):
    """While a relay is at work: rows of before and after, with their order,
    numbers, rights and indexes; a second install changes nothing."""
    bare.sql("CREATE INDEX ON outbox (aggregateid)")
    bare.sql("CREATE ROLE " + bare.slot)
    bare.sql(f"GRANT INSERT ON outbox TO {bare.slot}")
    bare.alone.install("public.outbox", "outbox_relay")
    daemon = relay()
    for n in range(20):
        bare.order(f"k{n % 3}")
    install(bare)
    before = partitions(bare)
    assert {"public.outbox_before", "public.outbox_rest"} < before
    for n in range(20):
        bare.order(f"k{n % 3}")
    assert bare.arrived() == 0
    assert bare.sql("SELECT count(*), max(n) FROM outbox") == [(40, 40)]
    assert bare.sql("SELECT has_table_privilege(%s, 'outbox', 'INSERT')",
                    (bare.slot,)) == [(True,)]
    assert bare.sql("SELECT count(*) FROM pg_indexes WHERE tablename = "
                    "'outbox' AND indexdef LIKE '%%(aggregateid)'") == [(1,)]
    install(bare)
    assert partitions(bare) == before
    bare.sql("UPDATE outbox_relay.partitioned_tables SET ahead = '11 days'")
    assert daemon.stop() == 0
    daemon = relay()
    until(lambda: len(partitions(bare)) > len(before), 60, "more are made")
    until(lambda: bare.sql("SELECT count(*) FROM outbox_relay.untold_partitions"
                           ) == [(0,)], 60, "all sessions are told of them")
    bare.sql(f"DROP OWNED BY {bare.slot}")
    bare.sql(f"DROP ROLE {bare.slot}")
    assert daemon.stop() == 0


def test_numbers_go_on(bare, relay):
    """Those of a column GENERATED ALWAYS AS IDENTITY, which the partition
    cannot keep; by hours, under other names."""
    bare.sql("ALTER TABLE outbox DROP n, ADD number bigint GENERATED ALWAYS "
             "AS IDENTITY, ADD at timestamptz NOT NULL DEFAULT now()")
    bare.order("k1")
    install(bare, partition_by="at", partition_step="6 hours",
            partition_ahead="2 days", partition_keep="1 day")
    relay(outbox_order_by="number")
    bare.order("k1")
    assert bare.arrived() == 0
    numbers = [row[0] for row in bare.sql("SELECT number FROM outbox")]
    assert len(set(numbers)) == 2 and min(numbers) == 1
    assert bare.sql("SELECT count(*) FROM outbox_relay.partitions_of('outbox')"
                    " WHERE upper - lower = interval '6 hours'")[0][0] >= 7
    assert bare.sql("SELECT step, ahead, keep FROM outbox_relay."
                    "partitioned_tables")[0] == (
        timedelta(hours=6), timedelta(days=2), timedelta(days=1))


def test_made_ahead_by_the_relay(shop, relay):
    """Whoever dropped them, or forgot to make them; the relay has no right to
    the table but to read it."""
    made = partitions(shop)
    for name in made - {shop.old, "public.outbox_rest"}:
        shop.sql(f"DROP TABLE {name}")
    daemon = relay()
    until(lambda: partitions(shop) == made, 60, "made again")
    assert "event=relay.partitions_made" in daemon.logged()
    shop.order("k1")
    assert shop.arrived() == 0
    assert shop.sql("SELECT count(*) FROM outbox_rest") == [(0,)]
    assert shop.sql("SELECT has_table_privilege('ch_relay', 'outbox', "
                    "'INSERT, UPDATE, DELETE, TRUNCATE')") == [(False,)]


def test_rows_outside_of_every_partition_are_taken(shop, relay):
    """And delivered: an application is never refused for want of one. They
    keep the one of their time from being made until they are deleted."""
    relay()
    row_id = str(uuid.uuid4())
    shop.sql("INSERT INTO outbox (id, aggregatetype, aggregateid, type, "
             "created_at) VALUES (%s, 'Order', 'k', 'Created', "
             "now() + interval '9 days')", (row_id,))
    shop.sent.append((shop.topic, "k", row_id))
    assert shop.arrived() == 0
    assert shop.sql("SELECT count(*) FROM outbox_rest") == [(1,)]
    shop.sql("UPDATE outbox_relay.partitioned_tables SET ahead = '11 days'")
    ensure = "SELECT outbox_relay.ensure_partitions()"
    assert shop.sql(ensure)[0][0] > 0  # the days before and after it
    assert shop.sql(ensure) == [(0,)]
    shop.sql("DELETE FROM outbox_rest")
    assert shop.sql(ensure) == [(1,)]


def test_what_could_not_be_made_ahead_is_seen(shop, relay):
    """Rows of its time lie in the rest; or PostgreSQL refused to make it."""
    shop.sql("INSERT INTO outbox (id, aggregatetype, aggregateid, type, "
             "created_at) VALUES (gen_random_uuid(), 'Order', 'k', 'Created', "
             "now() + interval '9 days')")
    shop.sql("UPDATE outbox_relay.partitioned_tables SET ahead = '11 days'")
    missing = "relay_partitions_missing"
    daemon = relay()
    until(lambda: daemon.metric(missing) == 1, 60, "one is missing")
    assert "event=relay.partitions_missing" in daemon.logged()
    assert daemon.stop() == 0

    shop.sql("DELETE FROM outbox_rest")
    make = "ALTER FUNCTION outbox_relay.{} RENAME TO {}"
    shop.sql(make.format("make_partition", "unmade"))
    daemon = relay()
    until(lambda: daemon.metric(missing) == 1, 60, "it is missing still")
    assert "event=relay.partition_not_made" in daemon.logged()
    assert daemon.stop() == 0

    shop.sql(make.format("unmade", "make_partition"))
    daemon = relay()
    until(lambda: "event=relay.partitions_made" in daemon.logged(), 60, "made")
    until(lambda: daemon.metric(missing) == 0, 60, "none is missing")


def test_dropped_when_delivered(shop, relay, as_relay):
    """By the relay's role, and with a line for each step."""
    relay()
    for n in range(10):
        insert_then(shop, f"k{n % 3}")
    assert shop.arrived() == 0
    assert due(as_relay, dry_run=True)[shop.old][0] == "would be closed"
    assert due(as_relay)[shop.old][0] == "closed"
    with pytest.raises(psycopg2.errors.CheckViolation):
        insert_then(shop)
    dropped(shop, as_relay)
    assert shop.old not in partitions(shop)
    assert [row[:3] for row in shop.sql(
        "SELECT action, actor, reason, (before->>'rows')::int FROM "
        "outbox_relay.audit_events ORDER BY event_id")] == [
        ("partition.close", "a test", "its days are over"),
        ("partition.drop", "a test", "its days are over")]
    assert shop.sql("SELECT before->>'rows' FROM outbox_relay.audit_events "
                    "WHERE action = 'partition.drop'") == [("10",)]
    shop.order("k1")
    assert shop.arrived() == 0
    dead = shop.sql(
        "SELECT pg_stat_force_next_flush(), coalesce(sum(n_dead_tup), 0) "
        "FROM pg_stat_user_tables WHERE relname LIKE 'outbox%%'")
    assert dead[0][1] == 0


def test_a_partition_in_use_stays(shop, relay, as_relay):
    """A long reader is not waited for, nor anybody behind it."""
    relay()
    insert_then(shop)
    assert shop.arrived() == 0
    reader = shop.alone.connect()
    reader.autocommit = False
    in_use = ("kept", "it, or its table, was in use")
    with reader.cursor() as cur:
        cur.execute("SELECT count(*) FROM outbox")
        assert due(as_relay)[shop.old] == in_use
        reader.rollback()
        assert due(as_relay)[shop.old][0] == "closed"
        cur.execute("SELECT count(*) FROM outbox")
        until(lambda: due(as_relay)[shop.old] == in_use, 60,
              "delivered, and in use", every=0.3)
    reader.close()
    dropped(shop, as_relay)


def test_no_row_is_looked_at_while_the_table_is_locked(shop, relay, as_relay,
                                                       kafka):
    """How long a drop locks the application out does not depend on how many
    rows go: each look at a row is before the lock, of two due ones too."""
    relay(topic_wait="0s")
    shop.sql("SELECT outbox_relay.make_partition(t, " + OLD +
             " + interval '1 day') FROM outbox_relay.partitioned_tables t")
    for days in (0, 1):
        row_id = str(uuid.uuid4())
        shop.sql("INSERT INTO outbox (id, aggregatetype, aggregateid, type, "
                 f"created_at) VALUES (%s, 'Order', 'k1', 'Created', {OLD} + "
                 "%s * interval '1 day')", (row_id, days))
        shop.sent.append((shop.topic, "k1", row_id))
    shop.order("k2", kind="Missing")  # a letter of another partition
    assert shop.arrived() == 0
    until(shop.letters, 60, "the letter")
    old = [name for name, _ in shop.sql(
        "SELECT part::text, upper FROM outbox_relay.partitions_of('outbox') "
        "WHERE upper < now() - interval '7 days'")]
    assert len(old) == 2
    watch_looks(shop)
    assert {done for done, _ in due(as_relay).values()} == {"closed"}
    until(lambda: {done for done, _ in due(as_relay).values()} == {"dropped"},
          60, "both are dropped in one call", every=0.3)
    assert shop.sql("SELECT locked, count(*) > 0 FROM public.seen WHERE NOT "
                    "dropped GROUP BY locked") == [(False, True)]
    at_drop = shop.sql(
        "SELECT max(scans) FILTER (WHERE NOT dropped), max(scans) FILTER "
        "(WHERE dropped) FROM public.seen WHERE xid = (SELECT xid FROM "
        "public.seen WHERE dropped LIMIT 1) GROUP BY part")
    assert len(at_drop) >= 2 and all(a == b for a, b in at_drop)


def watch_looks(shop):
    """Notes at each look at rows of a day's partition, and at each drop, which
    is under the lock: whether the table was locked, and how many looks there
    were at each partition."""
    shop.sql("CREATE TABLE public.seen (locked bool, part oid, scans int8, "
             "dropped bool, xid xid8 DEFAULT pg_current_xact_id())")
    shop.sql("""CREATE FUNCTION public.see(drops bool) RETURNS void LANGUAGE sql
        SECURITY DEFINER AS $$ INSERT INTO public.seen SELECT EXISTS (
            SELECT FROM pg_locks WHERE pid = pg_backend_pid() AND relation =
            'public.outbox'::regclass AND mode = 'AccessExclusiveLock'),
            oid, pg_stat_get_xact_numscans(oid), drops FROM pg_class
            WHERE relname ~ '^outbox_p[0-9]*$' $$""")
    for name, args in (("rows_named", "regclass, text, text[]"),
                       ("rows_in", "regclass")):
        if not shop.sql("SELECT to_regproc('outbox_relay.' || %s)", (name,))[0][0]:
            continue
        many = name == "rows_named"
        shop.sql(f"ALTER FUNCTION outbox_relay.{name} RENAME TO {name}_so")
        shop.sql(f"""CREATE FUNCTION outbox_relay.{name}({args}) RETURNS
            {"SETOF text" if many else "int8"} LANGUAGE plpgsql AS $$
            {"" if many else "DECLARE n int8;"} BEGIN
            {"RETURN QUERY SELECT * FROM" if many else "n :="}
            outbox_relay.{name}_so({"$1, $2, $3" if many else "$1"});
            PERFORM public.see(false);
            {"" if many else "RETURN n;"} END $$""")
    shop.sql("""CREATE FUNCTION public.see_drop() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
        IF NEW.action = 'partition.drop' THEN PERFORM public.see(true); END IF;
        RETURN NEW; END $$""")
    shop.sql("CREATE TRIGGER see BEFORE INSERT ON outbox_relay.audit_events "
             "FOR EACH ROW EXECUTE FUNCTION public.see_drop()")


def test_not_dropped_before_its_time(shop, relay, as_relay):
    """One that ended days ago and is kept: all in it may be sent again."""
    relay()
    shop.sql("SELECT outbox_relay.make_partition(t, " + OLD +
             " + interval '16 days') FROM outbox_relay.partitioned_tables t")
    before = partitions(shop)
    shop.order("k1")
    assert shop.arrived() == 0
    for _ in range(3):
        assert set(due(as_relay)) <= {shop.old}
    dropped(shop, as_relay)
    assert partitions(shop) == before - {shop.old}
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        as_relay("SELECT outbox_relay.set_partition_keep('public.outbox', "
                 "'0', 'x', 'y')")
    assert shop.sql(
        "SELECT outbox_relay.set_partition_keep('public.outbox', '3 days', "
        "'you', 'a full disk', true), keep FROM outbox_relay.partitioned_tables"
    )[0][1].days == 7
    shop.sql("SELECT outbox_relay.set_partition_keep('public.outbox', "
             "'3 days', 'you', 'a full disk')")
    assert set(d for d, _ in due(as_relay).values()) == {"closed"}
    assert shop.sql("SELECT actor, reason, subject FROM "
                    "outbox_relay.audit_events WHERE action = 'partition.keep'"
                    ) == [("you", "a full disk", "public.outbox")]


def test_not_dropped_while_the_relay_is_behind(shop, relay, as_relay):
    daemon = relay()
    insert_then(shop)
    assert shop.arrived() == 0
    assert daemon.stop() == 0
    late = insert_then(shop)
    assert due(as_relay)[shop.old][0] == "closed"
    for _ in range(3):
        done, why = due(as_relay)[shop.old]
        assert done == "kept" and why.startswith(
            f"delivered is slot {shop.slot} at ")
    assert shop.sql("SELECT count(*) FROM outbox WHERE id = %s", (late,)) == [
        (1,)]
    status = shop.sql("SELECT may_go, why_not, mend FROM "
                      "outbox_relay.partition_status() WHERE partition = %s",
                      (shop.old,))
    assert not status[0][0] and "let the relay catch up" in status[0][2]
    relay()
    assert shop.arrived() == 0
    dropped(shop, as_relay)


def test_no_relay_no_drop(shop, as_relay):
    insert_then(shop)
    assert due(as_relay)[shop.old][0] == "closed"
    assert due(as_relay)[shop.old] == (
        "kept", "delivered is no relay has delivered yet, needed is " +
        shop.sql("SELECT closed_lsn::text FROM "
                 "outbox_relay.closed_partitions")[0][0])


def test_a_lost_slot_misses_nothing(shop, relay, as_relay):
    """Rows that nobody has had are in the table, whatever became of the slot;
    while it is read again nothing goes."""
    daemon = relay()
    insert_then(shop, "k0")
    assert shop.arrived() == 0
    assert daemon.stop() == 0
    for n in range(20):
        insert_then(shop, f"k{n % 3}")
    due(as_relay)
    shop.lose_slot()
    assert due(as_relay)[shop.old][0] == "kept"
    relay()
    shop.arrived()
    dropped(shop, as_relay)
    assert set(shop.ids(shop.topic)) == {i for _, _, i in shop.sent}


def test_not_dropped_while_a_letter_is_open(shop, relay, as_relay, kafka):
    relay(topic_wait="0s")
    insert_then(shop, "k1", "Missing")
    insert_then(shop, "k1", "Missing")
    letter = until(shop.letters, 60, "the letter")[0]
    assert due(as_relay)[shop.old][0] == "closed"
    kept = until(lambda: (d := due(as_relay)[shop.old])[1].startswith(
        "letters") and d, 60, "the letter keeps it", every=0.3)
    assert kept == ("kept", "letters is 2, needed is 0")
    kafka.create(f"{shop.prefix}Missing")
    shop.dlq("replay", letter["letter_id"], "--reason", "topic made")
    dropped(shop, as_relay)


def test_restored_elsewhere_nothing_goes_by_old_positions(shop, relay,
                                                          as_relay):
    """Positions of another system say nothing of this one's."""
    daemon = relay()
    insert_then(shop)
    assert shop.arrived() == 0
    assert due(as_relay)[shop.old][0] == "closed"
    assert daemon.stop() == 0
    shop.sql("UPDATE outbox_relay.closed_partitions SET system_id = '1'")
    assert due(as_relay, dry_run=True)[shop.old][0] == "would be closed"
    assert due(as_relay)[shop.old][0] == "closed"
    shop.sql("UPDATE outbox_relay.relay_progress SET system_id = '1'")
    assert due(as_relay)[shop.old][0] == "kept"


@pytest.mark.parametrize("change,named", [
    ("CREATE VIEW v AS SELECT * FROM outbox", "views or rules are of it"),
    ("ALTER TABLE outbox ADD UNIQUE (n)", "a unique index beside"),
    ("ALTER TABLE outbox ADD created_at timestamp", "is not timestamptz"),
    ("CREATE PUBLICATION other FOR TABLE outbox", "another publication"),
    ("ALTER TABLE outbox ENABLE ROW LEVEL SECURITY", "row-level security"),
    ("CREATE TABLE r (id uuid REFERENCES outbox (id))", "foreign keys"),
    ("ALTER TABLE outbox RENAME id TO key", "has no column id"),
])
def test_what_cannot_be_done_in_place_is_refused(bare, change, named):
    """And nothing is changed then."""
    bare.sql(change)
    refused(bare, named)


def test_a_polled_table_is_refused(bare):
    """The relay deletes what it delivered of it: nothing is left to drop."""
    refused(bare, "poll and partitions are both set", "-v", "poll=1")


def refused(bare, named, *more):
    run = subprocess.run(
        ["psql", "-Xq", "-d", bare.cell.url("superuser", bare.database), "-v",
         "table=public.outbox", "-v", "role=ch_relay", "-v", "partitions=1",
         *more, "-f", str(INSTALL)], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)
    assert run.returncode != 0 and named in run.stdout
    assert bare.sql("SELECT relkind FROM pg_class WHERE relname = 'outbox'"
                    ) == [("r",)]
    assert bare.sql("SELECT count(*) FROM pg_namespace WHERE nspname = "
                    "'outbox_relay'") == [(0,)]


def test_partitioned_by_its_owner(bare, relay, as_relay):
    """With numbers by IDENTITY: they go on, whoever partitioned it."""
    bare.sql("DROP TABLE outbox")
    bare.sql("CREATE TABLE outbox (n bigint GENERATED ALWAYS AS IDENTITY, "
             "id uuid NOT NULL, aggregatetype text NOT NULL, aggregateid "
             "text NOT NULL, type text NOT NULL, payload jsonb, at timestamptz "
             "NOT NULL DEFAULT now(), PRIMARY KEY (id, at)) "
             "PARTITION BY RANGE (at)")
    install(bare)
    relay()
    for n in range(5):
        bare.order(f"k{n % 2}", payload=json.dumps(n))
    assert bare.arrived() == 0
    assert bare.sql("SELECT max(n) FROM outbox") == [(5,)]
    assert due(as_relay) == {}
