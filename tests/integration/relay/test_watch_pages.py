"""What pages an on-call person tells the truth: how old a waiting row is, what
the slot may keep, that an order is missing, and that hot tables stay clean."""

import configparser
import re
import subprocess

import pytest

from harness.alone import Alone
from harness.cell import OUT, ROOT
from harness.shop import Shop
from harness.wait import until

HOUR = 3600


@pytest.fixture
def shop(cell, kafka):
    made = Shop(Alone(cell), kafka)
    yield made
    made.db.close()
    cell.drop_database(made.database)


@pytest.fixture
def shop_relay(shop, daemons):
    def start(wait_ready=True, **flags):
        return daemons("outbox-relay", wait_ready=wait_ready,
                       **shop.flags(**flags))
    return start


@pytest.fixture
def superuser(cell, database):
    db = cell.connect("superuser", database)
    yield db
    db.close()


def oldest(daemon):
    return daemon.metric("relay_oldest_undelivered_seconds")


def verbose(daemon):
    return daemon.get("/readyz?verbose")


def test_a_polled_row_is_as_old_as_its_column_says(shop, shop_relay, kafka):
    shop.poll()
    shop.sql("ALTER TABLE outbox ADD written timestamptz DEFAULT now()")
    missing = f"{shop.prefix}Missing"
    waits = shop.order("k1", kind="Missing")
    shop.sql("UPDATE outbox SET written = now() - interval '1 hour'")
    daemon = shop_relay(wait_ready=False, source="poll", topic_wait="1h",
                        outbox_time="written")
    until(lambda: oldest(daemon) >= HOUR, 60, "an hour old")
    until(lambda: verbose(daemon)[0] == 503
          and "[-]delivery" in verbose(daemon)[1], 60, "not ready")
    assert "[+]age" not in verbose(daemon)[1]
    kafka.create(missing)
    until(lambda: shop.ids(missing) == [waits], 60, "delivered")
    until(lambda: oldest(daemon) == 0, 60, "nothing waits")


@pytest.mark.parametrize("column", [None, "timestamp"])
def test_where_no_time_is_known_that_is_said(shop, shop_relay, column):
    shop.poll()
    if column:
        shop.sql(f"ALTER TABLE outbox ADD created_at {column} DEFAULT "
                 "'2020-01-01'")
    daemon = shop_relay(source="poll")
    shop.order("k1")
    assert shop.arrived() == 0
    until(lambda: '[+]age' in verbose(daemon)[1], 60, "said")
    status, text = verbose(daemon)
    assert status == 200
    assert 'public.outbox has no timestamptz column "created_at"' in text


def test_a_scanned_row_is_as_old_as_it_was_written(relay_cell, relay, kafka):
    cell = relay_cell
    missing = cell.prefix + "missing"
    waits = cell.event("k1", "missing")
    cell.sql("UPDATE outbox SET created_at = now() - interval '1 hour'")
    daemon = relay(wait_ready=False, source="poll", topic_wait="1h")
    until(lambda: oldest(daemon) >= HOUR, 60, "an hour old")
    kafka.create(missing)
    until(lambda: cell.ids(missing) == [waits], 60, "delivered")
    until(lambda: oldest(daemon) == 0, 60, "nothing waits")


def test_the_limit_of_the_slot_is_a_metric(relay_cell, relay):
    daemon = relay(retained_max="3MiB")
    until(lambda: daemon.metric("relay_slot_retained_max_bytes")
          == 3 * 2 ** 20, 60, "as it is configured")


def recipe():
    """The relay.conf of the five minutes."""
    page = (ROOT / "docs/alone.md").read_text()
    block = re.search(r"relay\.conf`.*?```\n(.*?)```", page, re.S)[1]
    conf = configparser.ConfigParser(interpolation=None)
    conf.read_string("[relay]\n" + re.sub(r"(?m)^ +", "", block))
    return conf["relay"]


def test_the_recipe_keeps_the_order_of_a_key(shop, shop_relay):
    """A table read whole, whose newer rows lie where deleted ones lay."""
    order = recipe().get("outbox_order_by", "")
    shop.sql(f"ALTER TABLE outbox RENAME n TO {order or 'seq'}")
    shop.alone.install("public.outbox", "outbox_relay")
    for n in range(200):
        shop.order(f"old{n}")
    shop.sent.clear()
    shop.order("k1")
    shop.sql("DELETE FROM outbox WHERE aggregateid LIKE 'old%%'")
    shop.sql("VACUUM outbox")
    for _ in range(2):
        shop.order("k1")
    lie = [str(i) for i, in shop.sql("SELECT id FROM outbox ORDER BY ctid")]
    assert lie != [i for _, _, i in shop.sent], "it lies in order by chance"
    shop_relay(outbox_order_by=order)
    assert shop.arrived() == 0


def test_a_table_without_an_order_is_told(shop, shop_relay):
    shop.alone.install("public.outbox", "outbox_relay")
    daemon = shop_relay(outbox_order_by="")
    status, text = verbose(daemon)
    assert status == 200
    assert "[+]order " in text and "set outbox_order_by" in text
    assert len(re.findall(r"relay\.no_order", daemon.logged())) == 1
    assert daemon.stop() == 0
    assert "[+]order" not in verbose(shop_relay())[1]


def test_the_manual_page_has_what_one_looks_for():
    """Every metric and file of the tables, and where to read on."""
    page = subprocess.run([str(OUT / "bin" / "outbox-relay"), "--man"],
                          stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    sections = re.findall(r"(?m)^\.SH (.*)$", page)
    assert sections[-7:] == ["METRICS", "SIGNALS", "EXIT STATUS",
                             "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"]
    text = page.replace("\\-", "-").split(".SH METRICS")[1]
    reference = (ROOT / "docs/reference/outbox-relay.md").read_text()
    metrics = re.findall(r"(?m)^\| `((?:relay|ch)_[a-z_]+)` \|",
                         reference.split("## Metrics")[1])
    assert len(metrics) > 30
    assert [m for m in metrics if m not in text] == []
    files = text.split(".SH FILES")[1].split(".SH")[0]
    for name in ("config", "webhooks", "api-token-file"):
        assert f"--{name}" in files
    read_on = text.split(".SH SEE ALSO")[1]
    for path in re.findall(r"(?:docs|deploy)/[\w./-]+", read_on):
        assert (ROOT / path).is_file(), path


FIGURES = """SELECT relname, n_tup_ins, n_tup_upd, n_tup_del, n_dead_tup,
    n_tup_upd - n_tup_hot_upd, pg_relation_size(relid)
    FROM pg_stat_user_tables"""


def figures(db):
    """Of each table: what PostgreSQL has counted."""
    with db.cursor() as cur:
        cur.execute("SELECT pg_stat_clear_snapshot(), "
                    "pg_stat_force_next_flush()")
        cur.execute(FIGURES)
        return {name: rest for name, *rest in cur.fetchall()}


def assert_clean(db, is_hot, want):
    """The rows are counted, none was changed, and progress leaves nothing."""
    def counted():
        seen = figures(db)
        hot = {n: f for n, f in seen.items() if is_hot(n)}
        return sum(f[0] for f in hot.values()) >= want and (seen, hot)
    seen, hot = until(counted, 60, f"{want} rows are counted")
    for name, (_, updated, deleted, dead, _, _) in hot.items():
        assert (updated, deleted, dead) == (0, 0, 0), name
    _, updated, deleted, dead, not_hot, size = seen["relay_progress"]
    assert deleted == 0 and not_hot <= updated // 4
    assert size <= 16 * 8192, "progress grows"
    for name in ("dead_letters", "outbox_retry", "letter_states",
                 "letter_replays", "audit_events"):
        assert seen[name][:4] == [0, 0, 0, 0], name


def test_a_load_leaves_no_dead_rows_in_the_ledgers_tables(relay_cell, relay,
                                                          superuser):
    """PostgreSQL's counters come late; what is counted must be insertions."""
    cell = relay_cell
    daemon = relay()
    cell.load(2000)
    assert cell.arrived() == 0
    assert daemon.stop() == 0
    with cell.db.cursor() as cur:
        cur.execute("SELECT pg_stat_force_next_flush()")
    assert_clean(superuser, lambda name: re.match(
        r"(outbox|command_log|answers|rejected)(_p?\d|$)", name), 2000)


def test_a_load_leaves_no_dead_rows_in_an_applications_table(shop,
                                                             shop_relay):
    shop.alone.install("public.outbox", "outbox_relay")
    daemon = shop_relay()
    for n in range(500):
        shop.order(f"k{n % 7}")
    assert shop.arrived() == 0
    assert daemon.stop() == 0
    assert_clean(shop.db, lambda name: name == "outbox", 500)
