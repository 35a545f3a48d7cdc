"""An application's table that is polled: every row delivered, in order per
key, then deleted; by one relay, or by several that share it."""

import os
import random
import signal
import threading
import time
import uuid

import pytest

from harness.alone import Alone
from harness.cell import ROOT
from harness.shop import Shop
from harness.wait import until
from integration.relay.test_source import PlainRole

LOOK = ROOT / "services" / "outbox-relay" / "sql" / "queue_look.sql"
SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 31))


@pytest.fixture
def shop(cell, kafka):
    print(f"SEED={SEED}")
    made = Shop(Alone(cell), kafka)
    made.poll()
    yield made
    made.db.close()
    cell.drop_database(made.database)


@pytest.fixture
def relay(shop, daemons):
    def start(wait_ready=True, **flags):
        return daemons("outbox-relay", wait_ready=wait_ready,
                       **shop.flags(**{"source": "poll", **flags}))
    return start


def empty(shop, seconds=60):
    until(lambda: shop.left() == 0, seconds, "the table is empty")


def sure(shop):
    """All of it arrived, in order, and nothing else; then no row is left.
    How many were repeated."""
    repeated = shop.arrived(120)
    assert set(shop.ids(shop.topic)) == {i for _, _, i in shop.sent}
    empty(shop)
    return repeated


def told(daemon, *texts):
    """It is not ready, and says all of this."""
    def says():
        status, said = daemon.get("/readyz?verbose")
        said = said.replace("\\", "")
        return status == 503 and all(text in said for text in texts)
    until(says, 60, f"told: {texts}")


class Writers:
    """Applications: a transaction locks its aggregate, writes its event, and
    commits when it likes; so numbers are committed in another order than they
    are drawn in, but for those of one key."""

    def __init__(self, shop, threads, rows, keys):
        self.shop, self.rows, self.keys = shop, rows, keys
        self.rng = random.Random(SEED)
        self.guard = threading.Lock()
        self.wrote = 0
        self.threads = [threading.Thread(target=self.run, args=(n,))
                        for n in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        rng = random.Random(SEED * 100 + number)
        db = self.shop.alone.connect()
        db.autocommit = False
        for _ in range(self.rows):
            with db.cursor() as cur:
                self.write(cur, rng)
            db.commit()
        db.close()

    def write(self, cur, rng):
        key = f"k{rng.randrange(self.keys)}"
        row_id = str(uuid.uuid4())
        cur.execute("SELECT pg_advisory_xact_lock(1, hashtext(%s))", (key,))
        cur.execute("INSERT INTO outbox (id, aggregatetype, aggregateid, "
                    "type) VALUES (%s, 'Order', %s, 'Created')",
                    (row_id, key))
        with self.guard:
            self.shop.sent.append((self.shop.topic, key, row_id))
            self.wrote += 1
        # it stays open while others commit later numbers
        cur.execute("SELECT pg_sleep(%s)", (rng.random() * 0.02,))

    def busy(self):
        return any(thread.is_alive() for thread in self.threads)

    def after(self, count):
        until(lambda: self.wrote >= count, 60, f"{count} rows are written")

    def join(self):
        for thread in self.threads:
            thread.join()


def test_delivered_rows_are_deleted(shop, relay):
    """What lay there and what follows; a restart repeats nothing."""
    before = shop.order("k1", payload={"a": None, "b": []})
    daemon = relay()
    for n in range(50):
        shop.order(f"k{n % 5}", payload=n)
    assert sure(shop) == 0
    record = shop.records(shop.topic)[shop.ids(shop.topic).index(before)]
    assert record["payload"] == '{"a": null, "b": []}'
    daemon.wait_metric(1, "relay_polling")
    daemon.wait_metric(51, "relay_rows_deleted_total")
    daemon.wait_metric(0, "relay_rows_taken")
    assert shop.sql("SELECT count(*) FROM pg_replication_slots WHERE "
                    "slot_name = %s", (shop.slot,)) == [(0,)]
    assert daemon.stop() == 0
    for n in range(50):
        shop.order(f"k{n % 5}", payload=n)
    relay()
    assert sure(shop) == 0


def test_more_than_a_page_in_order(shop, relay):
    """Written in another order than they lie in; more than may be taken."""
    shop.sql("INSERT INTO outbox (n, id, aggregatetype, aggregateid, type, "
             "payload) SELECT 25001 - i, gen_random_uuid(), 'Order', "
             "'k' || mod(i, 3), 'Created', to_jsonb(25001 - i) "
             "FROM generate_series(1, 25000) i")
    relay()
    empty(shop, 120)
    got = shop.records(shop.topic)
    assert len(got) == 25000
    for part in range(4):
        numbers = [int(r["payload"]) for r in got if r["partition"] == part]
        assert numbers == sorted(numbers)


def test_what_commits_late_is_not_lost(shop, relay):
    """A lower number, after a higher one was delivered and deleted."""
    relay()
    slow = shop.alone.connect()
    slow.autocommit = False
    early = str(uuid.uuid4())
    with slow.cursor() as cur:
        cur.execute("INSERT INTO outbox (id, aggregatetype, aggregateid, "
                    "type) VALUES (%s, 'Order', 'slow', 'Created')", (early,))
    shop.order("quick")
    assert sure(shop) == 0
    slow.commit()
    slow.close()
    shop.sent.append((shop.topic, "slow", early))
    assert sure(shop) == 0


def test_a_partitioned_table(shop, relay):
    """Its partitions are read as one, and rows deleted from each."""
    shop.sql("DROP TABLE outbox")
    shop.sql("CREATE TABLE outbox (n bigint GENERATED ALWAYS AS IDENTITY, "
             "id uuid NOT NULL, aggregatetype text NOT NULL, aggregateid text "
             "NOT NULL, type text NOT NULL, payload jsonb) "
             "PARTITION BY HASH (id)")
    for n in range(3):
        shop.sql(f"CREATE TABLE outbox_{n} PARTITION OF outbox "
                 f"FOR VALUES WITH (MODULUS 3, REMAINDER {n})")
    shop.sql("CREATE INDEX ON outbox (n)")
    shop.alone.install("public.outbox", "outbox_relay", poll=1)
    for n in range(60):
        shop.order(f"k{n % 3}")
    relay()
    for n in range(60):
        shop.order(f"k{n % 3}")
    assert sure(shop) == 0


def test_a_page_is_read_by_the_index(shop):
    """Whatever is taken, and whichever shards: the table is never sorted."""
    shop.sql("INSERT INTO outbox (id, aggregatetype, aggregateid, type, "
             "payload) SELECT gen_random_uuid(), 'Order', 'k' || mod(i, 300), "
             "'Created', to_jsonb(repeat('x', 200)) "
             "FROM generate_series(1, 100000) i")
    shop.sql("PREPARE look AS " + LOOK.read_text(), None)
    page = shop.sql("EXECUTE look('public.outbox', 'n', 'id', "
                    "'aggregateid')")[0][-2]
    taken = "{" + ",".join(str(n) for n in range(1, 8001)) + "}"
    for place, value in enumerate((f"'{taken}'", "8", "'{0,3}'", "2000"), 1):
        page = page.replace(f"${place}", value)
    for _ in range(2):
        plan = "\n".join(row[0] for row in shop.sql("EXPLAIN " + page, None))
        assert "Index Scan using outbox_n_idx" in plan, plan
        assert "Sort" not in plan, plan
        shop.sql("ANALYZE outbox")


def test_killed_while_many_write(shop, relay):
    writers = Writers(shop, threads=6, rows=250, keys=9)
    for kill in range(4):
        daemon = relay(wait_ready=False)
        writers.after(300 * (kill + 1))
        daemon.kill()
    writers.join()
    relay()
    print("repeated", sure(shop))


def test_rows_that_the_application_deletes_or_numbers_anew(shop, relay):
    """Neither holds anything up, nor takes another row with it."""
    relay()
    for n in range(20):
        shop.order("k1")
    shop.sql("DELETE FROM outbox")
    shop.sql("TRUNCATE outbox RESTART IDENTITY")
    shop.sent.clear()
    for n in range(20):
        shop.order("k2")
    shop.arrived()
    empty(shop)


def test_a_refused_delete_repeats_nothing(shop, relay):
    """Delivered rows that cannot be deleted wait, and are told."""
    shop.sql("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
             "$$ BEGIN RAISE 'not now'; END $$")
    shop.sql("CREATE TRIGGER refuse BEFORE DELETE ON outbox FOR EACH ROW "
             "EXECUTE FUNCTION refuse()")
    daemon = relay()
    for n in range(3):
        shop.order("k1")
    assert shop.arrived() == 0
    told(daemon, "not now")
    shop.order("k1")
    assert shop.arrived() == 0
    daemon.wait_metric(4, "relay_rows_taken")
    shop.sql("DROP TRIGGER refuse ON outbox")
    assert sure(shop) == 0
    daemon.wait_ready()


def test_a_parked_row_leaves_the_table(shop, relay, kafka):
    """It and what waits behind it are in the relay's own tables then."""
    daemon = relay(topic_wait="0s")
    missing = [shop.order("k1", kind="Missing") for n in range(3)]
    shop.order("k1")
    assert sure(shop) == 0
    letter = until(shop.letters, 60, "the letter")[0]
    assert letter["row_id"] == missing[0]
    assert daemon.stop() == 0
    relay(topic_wait="0s")
    kafka.create(f"{shop.prefix}Missing")
    shop.dlq("replay", letter["letter_id"], "--reason", "topic made")
    until(lambda: shop.ids(f"{shop.prefix}Missing") == missing, 60,
          "all, in order")


def test_an_id_that_comes_again_is_delivered(shop, relay, kafka):
    shop.reuse_ids(kafka, relay(topic_wait="0s"))
    empty(shop)


@pytest.fixture
def plain(shop, daemons):
    """The relay's rights, without REPLICATION: its WAL cannot be read."""
    role = PlainRole(shop.cell, shop.database)
    yield role
    role.drop()


def test_auto_polls_where_it_may_delete(shop, relay, plain):
    shop.sql("REVOKE DELETE ON outbox FROM ch_relay")
    shop.order("k1")
    daemon = relay(source="auto", database_url=plain.url, wait_ready=False)
    told(daemon, "by polling", "may not read the WAL", "may not DELETE")
    assert shop.left() == 1
    shop.sql("GRANT DELETE ON outbox TO ch_relay")
    daemon.wait_ready()
    assert sure(shop) == 0
    daemon.wait_metric(1, "relay_polling")


@pytest.mark.parametrize("change,named", [
    ("REVOKE DELETE ON outbox FROM ch_relay",
     'GRANT SELECT, DELETE ON public.outbox TO "ch_relay"'),
    ("REVOKE SELECT ON outbox FROM ch_relay", "may not SELECT"),
    ("ALTER TABLE outbox ALTER n DROP NOT NULL", "may be null"),
    ("ALTER TABLE outbox ALTER n TYPE numeric", "is numeric"),
    ("ALTER TABLE outbox ALTER n DROP DEFAULT, ALTER n TYPE timestamptz "
     "USING now()", "a time is not the order"),
    ("DROP INDEX outbox_n_idx",
     "CREATE UNIQUE INDEX CONCURRENTLY ON public.outbox (n)"),
    ("ALTER TABLE outbox RENAME n TO other",
     "ALTER TABLE public.outbox ADD seq bigint"),
    ("ALTER TABLE outbox RENAME aggregateid TO other", "outbox_key"),
    ("ALTER TABLE outbox RENAME TO other", "there is no table public.outbox"),
    ("ALTER TABLE outbox RENAME TO other; CREATE VIEW outbox AS "
     "SELECT * FROM other", "is no table"),
])
def test_what_cannot_be_polled_is_refused(shop, relay, change, named):
    """With the next step; nothing is sent, nothing deleted."""
    shop.order("k1")
    shop.sql(change)
    daemon = relay(wait_ready=False)
    told(daemon, named)
    assert shop.ids(shop.topic) == []


def test_rows_that_a_policy_hides_are_refused(shop, relay, plain):
    shop.sql("ALTER TABLE outbox ENABLE ROW LEVEL SECURITY")
    plain.do("ALTER ROLE {} NOBYPASSRLS")
    daemon = relay(wait_ready=False, database_url=plain.url)
    told(daemon, "row-level security may hide rows of public.outbox")


def test_a_right_that_comes_later_is_used(shop, relay):
    shop.sql("REVOKE DELETE ON outbox FROM ch_relay")
    daemon = relay(wait_ready=False)
    shop.order("k1")
    told(daemon, "DELETE")
    shop.sql("GRANT DELETE ON outbox TO ch_relay")
    daemon.wait_ready()
    assert sure(shop) == 0


# ---- several relays share a table

SHARDS = 8


def shares(daemons):
    return sorted(int(d.metric("relay_shards")) for d in daemons)


def shared(relay, count, **flags):
    made = [relay(shards=SHARDS, **flags) for _ in range(count)]
    settled(made)
    return made


def settled(relays):
    fair, more = divmod(SHARDS, len(relays))
    until(lambda: shares(relays) == [fair] * (len(relays) - more)
          + [fair + 1] * more, 90, f"{len(relays)} relays have fair shares")


def test_relays_share_a_table(shop, relay):
    """Each delivers its part, in order; who joins gets a share."""
    writers = Writers(shop, threads=6, rows=300, keys=40)
    relays = shared(relay, 2)
    writers.after(600)
    relays.append(relay(shards=SHARDS))
    settled(relays)
    writers.after(1200)
    assert relays[0].stop() == 0
    settled(relays[1:])
    writers.join()
    # the writers may have ended before the last one had its share
    for n in range(40):
        shop.order(f"k{n}")
    assert sure(shop) == 0
    until(lambda: all(d.metric("relay_rows_deleted_total") > 0
                      for d in relays[1:]), 60, "each has delivered its part")


def test_a_killed_relays_shards_are_taken_over(shop, relay):
    """Over and over while many write: nothing lost, the order holds."""
    writers = Writers(shop, threads=6, rows=300, keys=40)
    rng = random.Random(SEED)
    relays = shared(relay, 3)
    for kill in range(4):
        writers.after(350 * (kill + 1))
        relays.pop(rng.randrange(3)).kill()
        killed = time.monotonic()
        settled(relays)
        print(f"taken over in {time.monotonic() - killed:.1f} s")
        relays.append(relay(shards=SHARDS))
    writers.join()
    print("repeated", sure(shop))


def test_a_stopped_relays_shards_are_taken_over(shop, relay):
    """PostgreSQL ends its session; woken, it can only repeat, and joins."""
    writers = Writers(shop, threads=4, rows=200, keys=40)
    first, second = shared(relay, 2)
    writers.after(200)
    os.kill(first.pid, signal.SIGSTOP)
    try:
        until(lambda: shares([second]) == [SHARDS], 150, "taken over")
        writers.join()
        shop.arrived(120)
    finally:
        os.kill(first.pid, signal.SIGCONT)
    settled([first, second])
    for n in range(40):
        shop.order(f"k{n}")
    print("repeated", sure(shop))


def test_what_is_in_flight_is_not_given_away(shop, relay, kafka):
    """A relay joins while rows wait for their topic: its share comes later,
    and no row is sent twice."""
    first = relay(shards=SHARDS, topic_wait="1h")
    settled([first])
    topic = f"{shop.prefix}Late"
    for n in range(40):
        shop.sent.append((topic, f"k{n}", shop.order(f"k{n}", kind="Late")))
    first.wait_metric(40, "relay_rows_taken")
    second = relay(shards=SHARDS, topic_wait="1h")
    second.wait_metric(1, "relay_polling")
    kafka.create(topic)
    settled([first, second])
    assert shop.arrived(120) == 0
    empty(shop)


def test_a_row_that_waits_keeps_its_own_shard_only(shop, relay, kafka):
    """Beside it in its page are rows of all the others, which are deleted;
    a relay that joins gets its share of those."""
    missing = f"{shop.prefix}Missing"
    for n in range(30):
        shop.order(f"k{n}")
    stuck = shop.order("k0", kind="Missing")
    first = relay(shards=SHARDS, topic_wait="1h", ready_delay="1s",
                  wait_ready=False)
    until(lambda: shop.left() == 1, 60, "the others are deleted")
    second = relay(shards=SHARDS, topic_wait="1h")
    settled([first, second])
    for n in range(30):
        shop.order(f"k{n}")
    assert shop.arrived() == 0
    until(lambda: shop.left() == 1, 60, "the others are deleted")
    assert second.metric("relay_rows_deleted_total") > 0
    assert first.get("/readyz")[0] == 503
    kafka.create(missing)
    empty(shop)
    assert shop.ids(missing) == [stuck]


def test_shards_that_cannot_be_given_are_read(shop, relay, kafka):
    """A row waits in each of them: other rows flow, and nobody gets one."""
    first = relay(shards=SHARDS, topic_wait="1h")
    settled([first])
    topic = f"{shop.prefix}Late"
    for n in range(40):
        shop.sent.append((topic, f"k{n}", shop.order(f"k{n}", kind="Late")))
    first.wait_metric(40, "relay_in_flight_rows")
    second = relay(shards=SHARDS, topic_wait="1h")
    second.wait_metric(1, "relay_polling")
    for n in range(40):
        shop.order(f"k{n}")
    until(lambda: shop.left() == 40, 60, "they are delivered and deleted")
    assert shares([first, second]) == [0, SHARDS]
    kafka.create(topic)
    settled([first, second])
    assert shop.arrived() == 0
    empty(shop)


def test_more_relays_than_shards(shop, relay):
    relays = [relay(source="poll", shards=2) for _ in range(3)]
    until(lambda: shares(relays) == [0, 1, 1], 90, "one stands by")
    for d in relays:
        d.wait_ready()
    working = next(d for d in relays if d.metric("relay_shards") == 1)
    working.kill()
    relays.remove(working)
    until(lambda: shares(relays) == [1, 1], 90, "it has taken over")
    for n in range(20):
        shop.order(f"k{n}")
    assert sure(shop) == 0


def test_another_cut_of_the_table_waits(shop, relay):
    """8 shards, 4 shards and one relay for all exclude each other."""
    first = relay(shards=SHARDS)
    other = relay(shards=4, wait_ready=False)
    until(lambda: f"shards = {SHARDS}, this one has 4" in other.logged(), 60,
          "told")
    whole = relay()
    assert whole.metric("relay_leader") == 0
    for n in range(20):
        shop.order(f"k{n}")
    assert sure(shop) == 0
    assert other.metric("relay_rows_deleted_total") == 0
    assert first.stop() == 0
    until(lambda: other.metric("relay_shards") == 4
          or whole.metric("relay_leader") == 1, 90, "one of them goes on")
    for n in range(20):
        shop.order(f"k{n}")
    assert sure(shop) == 0


def test_a_blocked_key_moves_with_its_shard(shop, relay, kafka):
    """Parked by a relay that is killed; released, in order, by one alone."""
    relays = shared(relay, 2, topic_wait="0s")
    first = {key: shop.order(key, kind="Missing")
             for key in ("a", "b", "c", "d", "e", "f")}
    until(lambda: len(shop.letters()) == len(first), 60, "the letters")
    relays.pop(0).kill()
    settled(relays)
    more = {key: [shop.order(key, kind="Missing") for _ in range(3)]
            for key in first}
    empty(shop)
    relays.append(relay(shards=SHARDS, topic_wait="0s"))
    settled(relays)
    topic = f"{shop.prefix}Missing"
    kafka.create(topic)
    for letter in shop.letters():
        shop.dlq("replay", letter["letter_id"], "--reason", "topic made")
    until(lambda: len(shop.ids(topic)) >= 4 * len(first), 60, "all")
    for key, head in first.items():
        shop.sent += [(topic, key, i) for i in [head, *more[key]]]
    assert shop.arrived() == 0


def test_a_key_that_cannot_be_hashed_is_refused(shop, relay):
    shop.sql("ALTER TABLE outbox ALTER aggregateid TYPE char(9)")
    daemon = relay(wait_ready=False, shards=SHARDS)
    told(daemon, "set shards = 1")
