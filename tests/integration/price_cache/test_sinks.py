"""What price-cache leaves behind: the table markets, the topic
market.prices; and that it serves without either."""

import json
import re
import subprocess

from harness.wait import until
from price_world import PATIENT, market_id

RESOLVED = 0x02


def rows(db):
    with db.cursor() as cur:
        cur.execute("SELECT condition_id, outcomes, prices, status, source, "
                    "cardinality(tokens) FROM ch.markets")
        return {row[0]: row[1:] for row in cur.fetchall()}


def test_prices_are_stored_in_the_table(cell, database, db, primary, cache):
    served = cache(primary, ttl="300ms", refresh_ahead="0ms",
                   database_url=cell.url("cache", database), **PATIENT)
    ids = [market_id() for _ in range(30)] + [market_id(RESOLVED)]
    told = {m["id"]: m for m in served.prices(*ids).markets}
    until(lambda: len(rows(db)) == 31, 60, "31 rows")
    for key, (outcomes, prices, status, source, tokens) in rows(db).items():
        assert outcomes == ["Yes", "No"]
        assert prices == told[key]["prices"]
        assert status == told[key]["state"]
        assert source == "primary"
        assert tokens == 2
    primary.control(shift=50)

    def moved():
        served.prices(*ids)
        return rows(db)[ids[0]][1] != told[ids[0]]["prices"]
    until(moved, 60, "the new price in the table")
    assert rows(db)[ids[30]][1] == told[ids[30]]["prices"]


def test_one_connection_is_enough(cell, database, db, primary, cache):
    served = cache(primary, ttl="100ms", refresh_ahead="0ms",
                   database_url=cell.url("cache", database),
                   store_every="10ms")
    for _ in range(10):
        served.prices(*[market_id() for _ in range(20)])
        with db.cursor() as cur:
            cur.execute("SELECT count(*) FROM pg_stat_activity WHERE "
                        "datname = %s AND usename = 'ch_cache'", (database,))
            assert cur.fetchone()[0] <= 1


def test_a_restart_begins_with_what_the_table_has(
        cell, database, db, primary, cache):
    url = cell.url("cache", database)
    served = cache(primary, database_url=url, **PATIENT)
    ids = [market_id(), market_id(RESOLVED)]
    told = served.prices(*ids).markets
    until(lambda: len(rows(db)) == 2, 60, "2 rows")
    assert served.stop() == 0
    primary.stop()
    again = cache(primary, database_url=url)
    until(lambda: again.metric("price_cache_restored_total") == 2, 60,
          "markets restored")
    markets = again.prices(*ids).markets
    assert [m["status"] for m in markets] == ["stale", "pinned"]
    assert [m["prices"] for m in markets] == [m["prices"] for m in told]


def test_it_serves_without_postgresql_and_without_kafka(primary, cache):
    served = cache(primary, bootstrap="127.0.0.1:1",
                   database_url="host=127.0.0.1 port=1 dbname=x user=x",
                   max_markets=16, **PATIENT)
    for _ in range(5):
        answer = served.prices(*[market_id() for _ in range(20)])
        assert all(m["status"] == "fresh" for m in answer.markets)
    assert served.get("/readyz")[0] == 200
    until(lambda: served.metric("price_cache_dropped_total",
                                sink="table") > 0, 60, "drops counted")
    assert served.metric("price_cache_store_pending") <= 16


def test_the_table_may_be_away_for_a_while(
        cell, database, db, primary, cache):
    served = cache(primary, database_url=cell.url("cache", database),
                   **PATIENT)
    with db.cursor() as cur:
        cur.execute("REVOKE INSERT ON ch.markets FROM ch_cache")
    markets = [market_id() for _ in range(10)]
    assert served.prices(*markets).status == 200
    until(lambda: served.metric("price_cache_store_failures_total") > 0, 60,
          "a failed write")
    with db.cursor() as cur:
        cur.execute("GRANT INSERT ON ch.markets TO ch_cache")
    until(lambda: len(rows(db)) == 10, 60, "the rows")


def test_changes_are_published(kafka, primary, cache):
    topic = kafka.unique("market.prices")
    kafka.create(topic)
    served = cache(primary, bootstrap=kafka.bootstrap, prices_topic=topic,
                   ttl="200ms", refresh_ahead="0ms", **PATIENT)
    ids = [market_id() for _ in range(20)]
    told = {m["id"]: m["prices"] for m in served.prices(*ids).markets}
    until(lambda: served.metric("price_cache_published_total") >= 20, 60,
          "20 prices published")
    records = kafka.read(topic)
    assert {r["key"]: json.loads(r["payload"])["prices"]
            for r in records} == told
    for record in records:
        value = json.loads(record["payload"])
        assert value["condition_id"] == record["key"]
        assert value["state"] == "open"
        assert value["source"] == "primary"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
                            value["changed_at"])
    # the same price again is not news
    for _ in range(5):
        served.prices(*ids)
    assert len(kafka.read(topic)) == 20
    primary.control(shift=50)

    def moved():
        served.prices(*ids)
        return served.metric("price_cache_published_total") >= 40
    until(moved, 60, "20 changes published")
    last = {r["key"]: json.loads(r["payload"])["prices"]
            for r in kafka.read(topic)}
    assert last == {m["id"]: m["prices"]
                    for m in served.prices(*ids).markets}


def test_metrics_pass_promtool(primary, cache):
    served = cache(primary)
    served.prices(market_id(), market_id(RESOLVED))
    served.wait_metric(1, "price_cache_requests_total", result="miss")
    text = served.get("/metrics")[1]
    subprocess.run(["promtool", "check", "metrics"], input=text.encode(),
                   check=True)
