"""What stands between an application's table and its relay is told, with what to
do; and what is written meanwhile is delivered once it is mended."""

import uuid

import pytest

from harness.wait import until


@pytest.fixture
def relay(shop_relay):
    return shop_relay


def told(daemon, text):
    def answered():
        status, page = daemon.get("/readyz?verbose")
        return status == 503 and text in page
    until(answered, 60, "it is not ready: " + text)


def swapped(shop):
    """Another table has the name, as after a migration by hand."""
    shop.sql("BEGIN; ALTER TABLE outbox RENAME TO outbox_old; "
             "CREATE TABLE outbox (LIKE outbox_old INCLUDING ALL); "
             "GRANT SELECT ON outbox TO ch_relay; COMMIT")
    return ("ALTER PUBLICATION outbox_relay ADD TABLE public.outbox",
            "ALTER PUBLICATION outbox_relay ADD TABLE outbox")


def without_inserts(shop):
    shop.sql("ALTER PUBLICATION outbox_relay SET (publish = 'update, delete')")
    return ("ALTER PUBLICATION outbox_relay SET (publish = 'insert')",) * 2


def by_leaves(shop):
    shop.sql("ALTER PUBLICATION outbox_relay SET "
             "(publish_via_partition_root = false)")
    return ("ALTER PUBLICATION outbox_relay SET "
            "(publish_via_partition_root = true)",) * 2


def partitioned(shop):
    shop.sql("DROP TABLE outbox")
    shop.sql("CREATE TABLE outbox (n bigserial, id uuid NOT NULL, "
             "aggregatetype text NOT NULL, aggregateid text NOT NULL, "
             "type text NOT NULL, payload jsonb) PARTITION BY LIST (type)")
    shop.sql("CREATE TABLE outbox_rest PARTITION OF outbox DEFAULT")
    shop.alone.install("public.outbox", "outbox_relay")
    shop.sql("ALTER PUBLICATION outbox_relay ADD TABLE outbox")


@pytest.mark.parametrize("done", [swapped, without_inserts, by_leaves])
def test_a_table_that_is_not_published_any_more(shop, relay, done):
    """Rows before come from the WAL, those of meanwhile from the table, in the
    order of their key."""
    if done is by_leaves:
        partitioned(shop)
    daemon = relay()
    shop.order("k")
    shop.arrived()
    remedy, mended = done(shop)
    rows = [shop.order("k") for n in range(3)]
    told(daemon, remedy)
    assert "event=relay.not_published" in daemon.logged()
    until(lambda: shop.sql("SELECT 1 FROM outbox_relay.relay_progress WHERE "
                           "lsn IS NULL"), 60, "durably")
    assert not set(rows) & set(shop.ids(shop.topic))
    told(daemon, "leading: publication outbox_relay")
    shop.sql(mended)
    rows.append(shop.order("k"))
    shop.arrived()
    until(lambda: daemon.get("/readyz")[0] == 200, 60, "ready")


@pytest.mark.parametrize("mended_by", ["the same", "another"])
def test_a_table_that_was_not_published_while_no_relay_ran(shop, relay,
                                                           mended_by):
    daemon = relay()
    shop.order("k")
    shop.arrived()
    assert daemon.stop() == 0
    _, mended = swapped(shop)
    shop.order("k")
    daemon = relay(wait_ready=False)
    told(daemon, "does not publish table public.outbox")
    if mended_by == "another":
        assert daemon.kill() != 0
    shop.sql(mended)
    if mended_by == "another":
        relay()
    shop.order("k")
    shop.arrived()


def test_what_is_published_when_the_table_is_left_comes_first(shop, relay,
                                                              kafka):
    """Kafka takes nothing while the table is swapped and mended."""
    daemon = relay(topic_wait="1h")
    topic = f"{shop.prefix}Later"
    rows = [shop.order("k", kind="Later") for n in range(3)]
    daemon.wait_metric(3, "relay_in_flight_rows")
    _, mended = swapped(shop)
    rows += [shop.order("k", kind="Later") for n in range(3)]
    told(daemon, "leading: publication outbox_relay")
    kafka.create(topic)

    def seen():
        return list(dict.fromkeys(shop.ids(topic)))
    until(lambda: seen() == rows[:3], 60, "what was published")
    shop.sql(mended)
    until(lambda: seen() == rows, 60, "those of the new table, after")


def test_a_row_that_waits_lets_none_pass_the_table(shop, relay, kafka):
    """Rows that are published again come behind those that were not."""
    daemon = relay(topic_wait="1h")
    known = shop.order("k")
    shop.arrived()
    shop.order("other", kind="Later")
    daemon.wait_metric(1, "relay_in_flight_rows")
    _, mended = without_inserts(shop)
    rows = [shop.order("k")]
    told(daemon, "publication outbox_relay")
    shop.sql(mended)
    rows.append(shop.order("k"))

    def seen():
        return [row for row in dict.fromkeys(shop.ids(shop.topic))
                if row != known]
    until(lambda: len(seen()) == 2, 60, "both")
    assert seen() == rows
    kafka.create(f"{shop.prefix}Later")
    shop.arrived()


AWAY = {
    "of the publication": (
        "ALTER PUBLICATION outbox_relay DROP TABLE outbox",
        "ALTER PUBLICATION outbox_relay ADD TABLE outbox"),
    "its inserts": (
        "ALTER PUBLICATION outbox_relay SET (publish = 'update')",
        "ALTER PUBLICATION outbox_relay SET (publish = 'insert')"),
    "its name": ("ALTER TABLE outbox RENAME TO hidden",
                 "ALTER TABLE hidden RENAME TO outbox"),
    "of the schema": ("ALTER PUBLICATION outbox_relay SET TABLE hidden",
                      "ALTER PUBLICATION outbox_relay ADD TABLES IN SCHEMA "
                      "public"),
}


def away_and_back(shop, what, key="k"):
    """Nobody looks in between; the id of the row that no slot has."""
    gone, back = AWAY[what]
    table = "hidden" if "hidden" in back else "outbox"
    if "hidden" in gone and table == "outbox":
        shop.sql("CREATE TABLE hidden ()")
    row_id = str(uuid.uuid4())
    shop.sql(f"{gone}; BEGIN; INSERT INTO {table} (id, aggregatetype, "
             f"aggregateid, type, payload) VALUES ('{row_id}', 'Order', "
             f"'{key}', 'Created', '0'); COMMIT; {back}")
    shop.sent.append((shop.topic, key, row_id))
    return row_id


def in_order(shop, rows):
    def seen():
        return list(dict.fromkeys(shop.ids(shop.topic)))
    until(lambda: len(seen()) >= len(rows), 60, "all")
    assert seen() == rows


@pytest.mark.parametrize("what", AWAY)
def test_a_table_that_was_not_published_for_a_moment(shop, relay, what):
    """What was written then comes before what was written after."""
    daemon = relay()
    rows = [shop.order("k")]
    shop.arrived()
    rows.append(away_and_back(shop, what))
    rows.append(shop.order("k"))
    in_order(shop, rows)
    assert "event=relay.not_published" in daemon.logged()
    until(lambda: daemon.get("/readyz")[0] == 200, 60, "ready")
    rows.append(shop.order("k"))
    in_order(shop, rows)
    assert daemon.logged().count("event=relay.not_published") == 1


def test_a_publication_that_was_dropped_and_made_anew(shop, relay):
    """PostgreSQL reads no row of meanwhile from the WAL, nor what is behind."""
    daemon = relay()
    rows = [shop.order("k")]
    shop.arrived()
    shop.sql("DROP PUBLICATION outbox_relay")
    rows.append(shop.order("k"))
    shop.sql("CREATE PUBLICATION outbox_relay FOR TABLE outbox")
    rows.append(shop.order("k"))
    told(daemon, f"pg_drop_replication_slot('{shop.slot}')")
    shop.lose_slot()
    rows.append(shop.order("k"))
    in_order(shop, rows)
    until(lambda: daemon.get("/readyz")[0] == 200, 60, "ready")


def test_a_moment_without_a_row_behind_it(shop, relay):
    relay()
    rows = [shop.order("k")]
    shop.arrived()
    rows.append(away_and_back(shop, "its inserts"))
    in_order(shop, rows)


def test_a_moment_while_no_relay_ran(shop, relay):
    daemon = relay()
    rows = [shop.order("k")]
    shop.arrived()
    assert daemon.stop() == 0
    rows.append(away_and_back(shop, "of the publication"))
    rows.append(shop.order("k"))
    daemon = relay()
    in_order(shop, rows)
    until(lambda: daemon.get("/readyz")[0] == 200, 60, "ready")
    assert daemon.stop() == 0
    daemon = relay()
    assert "event=relay.not_published" not in daemon.logged()


@pytest.fixture
def of_all(shop, relay):
    """By a publication that names no table, and so forbids less."""
    shop.sql("DROP PUBLICATION outbox_relay")
    shop.sql("CREATE PUBLICATION every FOR ALL TABLES WITH (publish = "
             "'insert', publish_via_partition_root)")
    return lambda: relay(publication="every")


@pytest.mark.parametrize("running", [True, False])
def test_a_table_that_was_unlogged_for_a_moment(shop, of_all, running):
    daemon = of_all()
    rows = [shop.order("k")]
    shop.arrived()
    if not running:
        assert daemon.stop() == 0
    row_id = str(uuid.uuid4())
    shop.sql("ALTER TABLE outbox SET UNLOGGED; INSERT INTO outbox (id, "
             f"aggregatetype, aggregateid, type) VALUES ('{row_id}', 'Order', "
             "'k', 'Created'); ALTER TABLE outbox SET LOGGED")
    rows += [row_id, shop.order("k")]
    if not running:
        of_all()
    in_order(shop, rows)


def test_a_table_of_all_that_is_changed_is_not_read_again(shop, of_all):
    daemon = of_all()
    shop.order("k")
    shop.arrived()
    for change in ("VACUUM FULL outbox", "ALTER TABLE outbox ADD more text",
                   "REINDEX TABLE outbox", "TRUNCATE outbox",
                   "BEGIN; ALTER TABLE outbox RENAME TO outbox_old; "
                   "CREATE TABLE outbox (LIKE outbox_old INCLUDING ALL); "
                   "GRANT SELECT ON outbox TO ch_relay; COMMIT"):
        shop.sql(change)
        shop.order("k")
        assert shop.arrived() == 0, change
    assert daemon.stop() == 0
    daemon = of_all()
    shop.order("k")
    assert shop.arrived() == 0
    assert "event=relay.not_published" not in daemon.logged()


def test_a_partition_that_is_unlogged(shop, relay):
    """The publication names its parent, and does not forbid it."""
    partitioned(shop)
    daemon = relay()
    rows = [shop.order("k")]
    shop.arrived()
    shop.sql("CREATE UNLOGGED TABLE fast PARTITION OF outbox "
             "FOR VALUES IN ('Fast')")
    told(daemon, "ALTER TABLE public.fast SET LOGGED")
    row_id = str(uuid.uuid4())
    shop.sql("INSERT INTO outbox (id, aggregatetype, aggregateid, type) "
             f"VALUES ('{row_id}', 'Order', 'k', 'Fast')")
    shop.sql("ALTER TABLE fast SET LOGGED")
    rows += [row_id, shop.order("k")]

    def seen():
        return list(dict.fromkeys(shop.ids(shop.topic)))
    until(lambda: set(seen()) == set(rows), 60, "all")
    until(lambda: daemon.get("/readyz")[0] == 200, 60, "ready")


def test_an_installation_of_before_is_told_what_to_do(shop, relay):
    shop.sql("DROP TABLE outbox_relay.table_publications")
    daemon = relay(wait_ready=False)
    told(daemon, "run install.sql again")
    shop.order("k")
    shop.alone.install("public.outbox", "outbox_relay")
    assert shop.arrived() == 0


def test_a_table_that_is_changed_is_not_read_again(shop, relay):
    """Nor one that is swapped in one transaction."""
    daemon = relay()
    shop.order("k")
    shop.arrived()
    for change in ("ALTER TABLE outbox ADD more int", "ANALYZE outbox",
                   "GRANT SELECT ON outbox TO PUBLIC", "VACUUM FULL outbox",
                   "REINDEX TABLE outbox", "CREATE TABLE other ()",
                   "ALTER PUBLICATION outbox_relay ADD TABLE other",
                   "ALTER PUBLICATION outbox_relay SET TABLE outbox",
                   "BEGIN; ALTER TABLE outbox RENAME TO outbox_old; "
                   "CREATE TABLE outbox (LIKE outbox_old INCLUDING ALL); "
                   "GRANT SELECT ON outbox TO ch_relay; ALTER PUBLICATION "
                   "outbox_relay ADD TABLE outbox; COMMIT"):
        shop.sql(change)
        shop.order("k")
        assert shop.arrived() == 0, change
    assert daemon.stop() == 0
    daemon = relay()
    shop.order("k")
    assert shop.arrived() == 0
    assert "event=relay.not_published" not in daemon.logged()


def test_a_publication_without_inserts_is_refused(shop, relay):
    shop.sql("CREATE PUBLICATION odd FOR TABLE outbox WITH (publish = "
             "'update, delete')")
    daemon = relay(wait_ready=False, publication="odd")
    told(daemon, "ALTER PUBLICATION odd SET (publish = 'insert')")
    shop.order("k")
    shop.sql("ALTER PUBLICATION odd SET (publish = 'insert')")
    assert shop.arrived() == 0


def test_a_missing_publication_is_made_by_what_is_said(shop, relay):
    """Of inserts alone: of a table without a key PostgreSQL would refuse the
    application's updates and deletes."""
    shop.sql("ALTER TABLE outbox DROP CONSTRAINT outbox_pkey")
    remedy = ("CREATE PUBLICATION own FOR TABLE public.outbox WITH (publish = "
              "'insert', publish_via_partition_root)")
    daemon = relay(wait_ready=False, publication="own")
    told(daemon, remedy)
    shop.sql("DROP PUBLICATION outbox_relay")
    shop.sql(remedy)
    shop.order("k")
    assert shop.arrived() == 0
    shop.sql("DELETE FROM outbox")


def test_another_schema_is_told_where_to_look(shop, relay):
    told(relay(wait_ready=False, schema="nowhere"), "set schema to the one")


@pytest.fixture
def bound(shop, cell):
    """The relay's role, to whom policies apply."""
    boss = cell.connect("superuser", shop.database)

    def may(what):
        with boss.cursor() as cur:
            cur.execute(f"ALTER ROLE ch_relay {what}")
    may("NOBYPASSRLS")
    yield may
    may("BYPASSRLS")
    boss.close()


def test_rows_that_a_policy_hides_are_not_passed_over(shop, relay, bound):
    shop.sql("ALTER TABLE outbox ENABLE ROW LEVEL SECURITY")
    for n in range(3):
        shop.order(f"k{n}")
    daemon = relay(wait_ready=False)
    told(daemon, 'rows of public.outbox from role ch_relay, and they must be '
         'read now: ALTER ROLE "ch_relay" BYPASSRLS')
    shop.order("k0")  # the slot has it already
    shop.sql("DELETE FROM outbox WHERE n = 4")
    bound("BYPASSRLS")
    shop.arrived()


def test_rows_from_the_wal_need_no_right_to_pass_policies(shop, relay, bound):
    """No policy applies there: a relay at work is not held up."""
    daemon = relay()
    shop.order("k")
    shop.arrived()
    shop.sql("ALTER TABLE outbox ENABLE ROW LEVEL SECURITY")
    assert daemon.stop() == 0
    relay()
    shop.order("k")
    assert shop.arrived() == 0


def test_a_wide_table_beside_the_outbox(shop, relay):
    """Is passed over, whatever it has; of the outbox itself it is said."""
    columns = ", ".join(f"c{n} int" for n in range(1590))
    shop.sql(f"CREATE TABLE wide ({columns})")
    shop.sql("CREATE PUBLICATION two FOR TABLE outbox, wide")
    daemon = relay(publication="two")
    shop.sql("INSERT INTO wide (c0, c1589) VALUES (1, 2)")
    shop.order("k")
    assert shop.arrived() == 0
    assert daemon.metric("relay_streams_total") == 1
    columns = ", ".join(f"ADD c{n} int" for n in range(130))
    shop.sql(f"ALTER TABLE outbox {columns}")
    shop.order("k")
    told(daemon, "table outbox has 136 columns, at most 128 are read")
    shop.sql("ALTER TABLE outbox " + ", ".join(
        f"DROP c{n}" for n in range(130)))


def test_keepalives_are_answered_while_kafka_takes_nothing(shop, daemons):
    """One walsender lives, through many of its timeouts."""
    daemon = daemons("outbox-relay", env={
        "PGOPTIONS": "-c wal_sender_timeout=3s"},
        **shop.flags(inflight="64KiB", topic_wait="1h"))
    shop.order("k")
    shop.arrived()
    for n in range(300):
        shop.order(f"k{n}", kind="Later", payload="x" * 300)
    until(lambda: daemon.metric("relay_in_flight_bytes") >= 65536, 60, "full")
    since, = shop.sql("SELECT clock_timestamp()")[0]
    until(lambda: shop.sql(
        "SELECT 1 FROM pg_stat_replication WHERE application_name = "
        "'outbox-relay' AND reply_time > %s + interval '4 s'", (since,)), 60,
        "it is answered")
    assert daemon.metric("relay_streams_total") == 1
    shop.kafka.create(f"{shop.prefix}Later")
    until(lambda: len(shop.records(f"{shop.prefix}Later")) == 300, 60, "all")
