"""trade-stream between a feed server and a real Kafka."""

import collections
import json
import os
import random
import re
import signal
import subprocess

import jsonschema

from feed_server import (assert_same, content, expected, records, shortest,
                         trade_id)
from harness.cell import OUT, ROOT, SHARED
from harness.ports import free_port
from harness.wait import until

SEED = int(os.environ.get("SEED") or random.randrange(1, 1000000))


def test_the_example_fits_its_schema_and_its_id():
    folder = ROOT / "schema" / "messages"
    schema = json.loads((folder / "market.trade.schema.json").read_text())
    example = json.loads((folder / "market.trade.example.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(example)
    key = (example["tx_hash"], example["wallet"], example["asset"],
           example["side"], shortest(example["price"]),
           shortest(example["size"]), example["source"])
    assert example["trade_id"] == trade_id(key, 0)


def published(stream):
    return stream.metric("trade_stream_trades_published_total")


def rows(stream, kind="trades"):
    return stream.metric("trade_stream_frames_total", type=kind)


def wait_published(stream, n, seconds=60):
    until(lambda: published(stream) >= n, seconds, f"{n} trades published")


def wait_sent(feed, n, seconds=60):
    """A feed with an end has sent all of its n trades."""
    until(lambda: feed.count() == n, seconds, f"{n} trades sent")


def wait_settled(feed, stream, seconds=60):
    """All that the feed sent was read, and all that was read is in Kafka. To
    be asked of a feed that sends no more, or it is true now and then."""
    def settled():
        return (rows(stream) == feed.count()
                and published(stream)
                == stream.metric("trade_stream_trades_queued_total"))
    until(settled, seconds, "the feed's frames read and published")


def says(stream, text):
    """In its answer about its readiness."""
    until(lambda: text in stream.get("/readyz?verbose")[1], 60, text)


def assert_exactly_once(feed, kafka, topic):
    want = expected(feed.sent())
    got = records(kafka, topic)
    schema = json.loads((ROOT / "schema" / "messages"
                         / "market.trade.schema.json").read_text())
    valid = jsonschema.Draft202012Validator(schema)
    for record in got[:500]:
        valid.validate(record)
    ids = collections.Counter(r["trade_id"] for r in got)
    assert not [i for i, n in ids.items() if n != 1]
    assert set(ids) == set(want)
    for record in got:
        assert_same(want[record["trade_id"]], record)
    return want


def test_every_trade_arrives_once_with_exact_decimals(feeds, streams, kafka,
                                                      topic):
    print(f"SEED={SEED}")
    feed = feeds(seed=SEED, rate=4000, frames=6000)
    stream = streams(feed)
    until(lambda: len(feed.sent(("trades", "orders_matched"))) == 6000, 60,
          "6000 frames sent")
    wait_settled(feed, stream)
    want = assert_exactly_once(feed, kafka, topic)
    equal = [n for n in collections.Counter(
        content(f) for _, f in feed.sent()).values() if n > 1]
    assert equal, "no two fills were equal: a larger sample is needed"
    assert len(want) == len(feed.sent())
    assert any(len(f["payload"]["price"]) > 8 for f in want.values())
    # orders_matched rows were seen, and not published
    stream.wait_metric(6000 - len(want), "trade_stream_frames_total",
                       type="orders_matched")
    # one market's trades are in one partition, in the feed's order
    order = collections.defaultdict(list)
    for r in kafka.read(topic):
        value = json.loads(r["payload"])
        assert r["key"] == value["condition_id"]
        order[r["key"]].append(value["tx_hash"])
    sent = collections.defaultdict(list)
    for _, frame in feed.sent():
        sent[frame["payload"]["conditionId"]].append(
            frame["payload"]["transactionHash"])
    assert order == sent


def generated(feeds, streams, n, folder):
    """A file of n frames."""
    made = feeds(seed=SEED, rate=4000, frames=n)
    maker = streams(made)
    until(lambda: len(made.sent(("trades", "orders_matched"))) == n, 60,
          f"{n} frames made")
    maker.stop()
    path = folder / "frames.jsonl"
    path.write_text("".join(
        line.partition('"frame":')[2][:-1] + "\n"
        for line in made.sent_file.read_text().splitlines()))
    return path


def test_recorded_frames_are_published(feeds, streams, kafka, topic,
                                       tmp_path):
    data = SHARED / "data"
    recorded = [(data / "rtds-session-120-trades.json", 120),
                (data / "rtds-envelopes-7.jsonl", 7)]
    if not all(path.exists() for path, _ in recorded):
        print(f"note: no {data}; replaying generated frames")
        path = generated(feeds, streams, 400, tmp_path)
        recorded = [(path, path.read_text().count('"type":"trades"'))]
        topic = kafka.unique("market.trades")
        kafka.create(topic)
    total = 0
    for path, trades in recorded:
        feed = feeds(file=path, rate=2000)
        stream = streams(feed, topic=topic)
        wait_sent(feed, trades)
        wait_settled(feed, stream)
        stream.stop()
        want = expected(feed.sent())
        total += len(want)
        got = {r["trade_id"]: r for r in records(kafka, topic)}
        for key, frame in want.items():
            assert_same(frame, got[key])
    assert len(records(kafka, topic)) == total
    # the pair of equal rows of the 120 too
    assert total == sum(trades for _, trades in recorded)


def test_a_silent_feed_is_left_within_the_limit(feeds, streams, kafka,
                                                topic):
    feed = feeds(seed=SEED, rate=200)
    stream = streams(feed, stale_after="4s")
    feed.do("silence")
    # pings are answered all the while: only the limit can end it
    until(lambda: stream.metric("trade_stream_ws_reconnects_total",
                                reason="silent") >= 1, 60, "a reconnect")
    # connected, yet not ready
    says(stream, "[-]feed")
    assert stream.get("/readyz")[0] == 503
    feed.do("resume")
    stream.wait_ready()
    feed.do("rate 0")
    wait_settled(feed, stream)
    assert_exactly_once(feed, kafka, topic)


def test_a_dead_peer_is_left_before_the_data_watch(feeds, streams):
    feed = feeds(seed=SEED, rate=200)
    stream = streams(feed, stale_after="60s", pong_within="600ms")
    feed.do("mute")
    until(lambda: stream.metric("trade_stream_ws_reconnects_total",
                                reason="no_pong") >= 1, 60, "a reconnect")


def test_a_session_delivered_again_gives_the_same_ids(feeds, streams, kafka,
                                                      topic):
    feed = feeds(seed=SEED, rate=3000)
    stream = streams(feed)
    wait_published(stream, 1000)
    feed.do("rate 0", "redeliver 300", "close")
    until(lambda: max(c for c, _ in feed.sent()) >= 2, 60, "reconnected")
    feed.do("rate 1000")
    wait_published(stream, 1500)
    feed.do("rate 0")
    wait_settled(feed, stream)
    again = len(feed.sent()) - len(expected(feed.sent()))
    assert again > 100
    assert stream.metric("trade_stream_rows_repeated_total") == again
    assert stream.metric("trade_stream_ws_reconnects_total",
                         reason="dropped") >= 1
    assert_exactly_once(feed, kafka, topic)


def send_some(feed, n):
    """To whoever listens, as soon as somebody does."""
    def sent():
        feed.do(f"send {n}")
        return feed.count() > 0
    until(sent, 60, f"somebody listens to {n} frames")


def test_a_feed_server_that_dies_and_comes_back(feeds, streams, kafka,
                                                topic):
    port = free_port()
    feed = feeds(port=port, seed=SEED, rate=0)
    stream = streams(feed, wait_ready=False)
    send_some(feed, 500)
    wait_settled(feed, stream)
    first = feed.sent()
    feed.kill()
    until(lambda: stream.metric("trade_stream_ws_reconnects_total",
                                reason="refused") >= 3, 60, "attempts")
    # the same seed again: the same 500 frames are delivered once more
    feed.control.write_text("")
    feed.start(port=port, seed=SEED, rate=0)
    send_some(feed, 800)
    until(lambda: rows(stream) == len(first) + len(feed.sent())
          and len(feed.sent()) > len(first), 60, "frames read")
    until(lambda: published(stream)
          == stream.metric("trade_stream_trades_queued_total"), 60, "sent")
    assert_exactly_once(feed, kafka, topic)


def test_kill_and_restart_repeat_ids_never_change_them(feeds, streams, kafka,
                                                       topic):
    # no more than the server keeps: all of it comes again
    feed = feeds(seed=SEED, rate=1000, frames=4000)
    stream = streams(feed)
    wait_published(stream, 300)
    stream.kill()
    feed.do("redeliver 4000")
    again = streams(feed)
    wait_published(again, 800)
    feed.do("rate 0")
    last = max(c for c, _ in feed.sent())
    mine = [f for f in feed.sent() if f[0] == last]
    until(lambda: rows(again) == len(mine), 60, "frames read")
    until(lambda: published(again)
          == again.metric("trade_stream_trades_queued_total"), 60, "sent")
    # what the killed one published, the new one published under the same id
    ids = collections.Counter(r["trade_id"] for r in records(kafka, topic))
    assert set(ids) == set(expected(mine))
    assert max(ids.values()) == 2


def test_the_wallet_file_is_read_again_on_sighup(feeds, streams, kafka,
                                                 topic, tmp_path):
    listed = subprocess.run(
        [str(OUT / "bin" / "feed-server"), "--list-wallets",
         f"--seed={SEED}", "--wallets=40"], check=True, text=True,
        stdout=subprocess.PIPE).stdout.split()
    first, second = set(listed[:10]), set(listed[10:25])
    path = tmp_path / "wallets"
    path.write_text("# ten\n\n" + "".join(
        f"0x{w[2:].upper()} # x\r\n" for w in first))
    feed = feeds(seed=SEED, rate=1000, wallets=40)
    stream = streams(feed, wallets=str(path))
    wait_published(stream, 200)
    assert stream.metric("trade_stream_wallets") == 10
    # a wrong file changes nothing
    path.write_text("0x12\n")
    stream.signal(signal.SIGHUP)
    until(lambda: stream.metric("trade_stream_wallet_reloads_total",
                                result="failed") == 1, 60, "refused")
    until(lambda: "line 1: '0x12' is no wallet" in stream.logged(), 60,
          "the refusal is logged")
    assert stream.metric("trade_stream_wallets") == 10
    feed.do("rate 0")
    until(lambda: rows(stream) == feed.count(), 60, "read")
    before = len(feed.sent())
    path.write_text("".join(f"{w}\n" for w in second))
    stream.signal(signal.SIGHUP)
    until(lambda: stream.metric("trade_stream_wallets") == 15, 60, "reread")
    feed.do("rate 1000")
    until(lambda: feed.count() > before + 1000, 60, "more frames")
    feed.do("rate 0")
    wait_settled(feed, stream)
    sent = feed.sent()
    want = [f for f in sent[:before]
            if f[1]["payload"]["proxyWallet"].lower() in first]
    want += [f for f in sent[before:]
             if f[1]["payload"]["proxyWallet"].lower() in second]
    got = collections.Counter(r["trade_id"] for r in records(kafka, topic))
    assert got == collections.Counter(list(expected(want)))
    assert stream.metric("trade_stream_rows_unwatched_total") >= \
        len(sent) - len(want) > 0


def test_kafka_away_for_a_while_loses_nothing(cell, feeds, streams, kafka,
                                              topic):
    feed = feeds(seed=SEED, rate=300)
    stream = streams(feed)
    wait_published(stream, 100)
    cell.script("kafka.sh", "kill")
    try:
        says(stream, "[-]kafka")
        assert stream.get("/readyz")[0] == 503
        # the feed goes on as if nothing had happened
        seen = rows(stream)
        until(lambda: rows(stream) > seen + 600, 60, "frames read on")
        assert stream.metric("trade_stream_ws_connects_total") == 1
        assert stream.get("/livez")[0] == 200
        # a broker that is slow to start must not fill the queue
        feed.do("rate 30")
    finally:
        cell.script("kafka.sh", "start")
    stream.wait_ready()
    feed.do("rate 0")
    wait_settled(feed, stream)
    want = expected(feed.sent())
    ids = collections.Counter(r["trade_id"] for r in records(kafka, topic))
    assert set(ids) == set(want)
    assert stream.metric("trade_stream_rows_dropped_total") == 0


def test_a_full_queue_closes_the_feed_and_says_so(cell, feeds, streams,
                                                  kafka, topic):
    feed = feeds(seed=SEED, rate=100)
    stream = streams(feed, queue_trades="1000")
    wait_published(stream, 50)
    feed.do("rate 0")
    wait_settled(feed, stream)
    cell.script("kafka.sh", "kill")
    try:
        def closed():
            return stream.metric("trade_stream_ws_reconnects_total",
                                 reason="queue_full")
        # in steps, so that it is Kafka that fills the queue, not a burst
        while not closed():
            feed.do("send 500")
            until(lambda: rows(stream) == feed.count() or closed(), 60,
                  "500 frames read")
            assert feed.count() < 20000
        assert closed() == 1
        # no reconnect into a queue that is still full
        assert stream.metric("trade_stream_ws_connected") == 0
    finally:
        cell.script("kafka.sh", "start")
    until(lambda: stream.metric("trade_stream_ws_connected") == 1, 60,
          "reconnected once there was room")
    until(lambda: published(stream)
          == stream.metric("trade_stream_trades_queued_total"), 60, "sent")
    # every row that came in is in the topic or in the counter
    dropped = stream.metric("trade_stream_rows_dropped_total",
                            reason="queue_full")
    assert dropped >= 1
    seen = rows(stream)
    assert seen == published(stream) + dropped
    ids = {r["trade_id"] for r in records(kafka, topic)}
    assert len(ids) == published(stream)
    assert ids <= set(expected(feed.sent()))


def test_bad_frames_are_counted_and_do_no_harm(feeds, streams, kafka, topic):
    feed = feeds(seed=SEED, rate=300)
    stream = streams(feed)
    feed.do("malformed", "notice", "blank")
    until(lambda: stream.metric("trade_stream_frames_total",
                                type="refused") == 9, 60, "nine refused")
    stream.wait_metric(1, "trade_stream_frames_total", type="notice")
    for reason, n in (("not_json", 6), ("not_object", 1), ("no_payload", 1),
                      ("bad_wallet", 1)):
        assert stream.metric("trade_stream_frames_refused_total",
                             reason=reason) == n, reason
    assert stream.metric("trade_stream_ws_connects_total") == 1
    until(lambda: "event=feed.frame kind=refused reason=no_payload"
          in stream.logged(), 60, "a refused frame is logged")
    # larger than anything allowed: that connection ends, the next one lives
    feed.do("rate 0")
    wait_settled(feed, stream)
    feed.do("huge")
    until(lambda: stream.metric("trade_stream_ws_connects_total") >= 2, 60,
          "a new connection")
    feed.do("rate 300")
    n = published(stream)
    wait_published(stream, n + 100)
    feed.do("rate 0")
    wait_settled(feed, stream)
    assert_exactly_once(feed, kafka, topic)


def test_refused_upgrades_are_tried_again_with_growing_waits(feeds, streams):
    feed = feeds(seed=SEED, rate=300)
    stream = streams(feed)
    feed.do("refuse 429", "close")
    until(lambda: stream.metric("trade_stream_ws_reconnects_total",
                                reason="refused") >= 5, 60, "refused")
    assert "http_status=429" in stream.logged()

    def waits():
        return [int(line.split("retry_ms=")[1].split()[0])
                for line in stream.logged().splitlines()
                if "reason=refused" in line]
    # drawn between the shortest and a bound that doubles
    until(lambda: waits() and max(waits()) > 40, 60, "a longer wait")
    assert min(waits()) >= 20 and max(waits()) <= 200
    feed.do("accept")
    stream.wait_ready()


def test_both_types_are_told_apart_by_source(feeds, streams, kafka, topic):
    feed = feeds(seed=SEED, rate=2000, frames=1000)
    stream = streams(feed, publish="both")
    wait_published(stream, 1000)
    both = ("trades", "orders_matched")
    until(lambda: len(feed.sent(both)) == 1000, 60, "all noted")
    want = expected(feed.sent(both))
    got = records(kafka, topic)
    assert len(got) == 1000 and len(want) == 1000
    for record in got:
        assert_same(want[record["trade_id"]], record)


def test_sigterm_publishes_what_was_read(feeds, streams, kafka, topic):
    feed = feeds(seed=SEED, rate=3000)
    stream = streams(feed)
    wait_published(stream, 500)
    assert stream.stop() == 0
    ids = [r["trade_id"] for r in records(kafka, topic)]
    assert len(ids) == len(set(ids)) >= 500
    # an unbroken beginning of what was sent
    want = list(expected(feed.sent()))
    assert set(ids) == set(want[:len(ids)])


def check(*flags):
    return subprocess.run(
        [str(OUT / "bin" / "trade-stream"), "--bootstrap=127.0.0.1:9",
         *flags], cwd=ROOT, text=True, stdin=subprocess.DEVNULL, timeout=60,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def test_a_wrong_configuration_is_refused_with_its_name(tmp_path):
    wallets = tmp_path / "wallets"
    wallets.write_text("0xZZ\n")
    cases = [
        ([], "feed_url"),
        (["--feed_url=http://127.0.0.1/"], "feed_url"),
        (["--feed_url=ws://127.0.0.1/", f"--wallets={wallets}"],
         f"wallets file {wallets}: line 1"),
        (["--feed_url=ws://127.0.0.1/", "--wallets=/nonexistent"],
         "/nonexistent"),
        (["--feed_url=ws://127.0.0.1/", "--backoff_min=40s"], "backoff_min"),
        (["--feed_url=ws://127.0.0.1/", "--publish=all"], "publish"),
    ]
    for flags, says in cases:
        run = check(*flags, "--check-config")
        assert run.returncode == 78, (flags, run.stdout)
        assert says in run.stdout, (flags, run.stdout)
    good = check("--feed_url=ws://127.0.0.1/", "--check-config")
    assert good.returncode == 0, good.stdout


def test_a_missing_topic_is_waited_for(feeds, streams, kafka):
    name = kafka.unique("market.trades")
    feed = feeds(seed=SEED, rate=300)
    stream = streams(feed, wait_ready=False, topic=name)
    until(lambda: rows(stream) > 300, 60, "frames read")
    says(stream, "[-]kafka")
    kafka.create(name)
    stream.wait_ready()
    feed.do("rate 0")
    wait_settled(feed, stream, 60)
    want = expected(feed.sent())
    ids = collections.Counter(r["trade_id"] for r in records(kafka, name))
    assert set(ids) == set(want)


def test_a_file_can_be_replayed_as_of_now(feeds, streams, kafka, topic,
                                          tmp_path):
    path = generated(feeds, streams, 100, tmp_path)
    old = re.sub(r'"timestamp":\d{10}(\d{3})?\b',
                 lambda m: '"timestamp":1700000000' + ("000" * bool(m[1])),
                 path.read_text())
    path.write_text(old)
    trades = old.count('"type":"trades"')
    fresh = kafka.unique("market.trades")
    kafka.create(fresh)
    feed = feeds(file=path, rate=1000, restamp=True)
    stream = streams(feed, topic=fresh)
    wait_sent(feed, trades)
    wait_settled(feed, stream)
    times = [r["traded_at"] for r in records(kafka, fresh)]
    assert len(times) == trades > 0
    assert min(times)[:4] >= "2026"
