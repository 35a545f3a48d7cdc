"""price-cache over real HTTP, between clients and two upstreams."""

import json
import subprocess
import threading
import time

import pytest

from harness.cell import SHARED
from harness.wait import until
from price_world import LASTING, PATIENT, market_id

UNKNOWN, CLOSED, RESOLVED = 0x00, 0x01, 0x02
REAL = SHARED / "data" / "gamma-markets-objects-4500.jsonl.xz"


def test_a_herd_of_200_makes_exactly_one_call(primary, fallback, cache):
    primary.control(delay_ms=200)
    served = cache(primary, fallback, **LASTING)
    path = f"/v1/prices?ids={market_id()}"
    bodies = served.herd([path] * 200)
    assert len(bodies) == 200
    assert len(set(bodies)) == 1
    assert '"status":"fresh"' in bodies[0]
    assert primary.calls() == 1
    assert fallback.calls() == 0
    served.herd([path] * 200)
    assert primary.calls() == 1


@pytest.mark.parametrize("mode", ["status", "html", "429"])
def test_a_herd_on_failing_upstreams_makes_one_call_each(
        primary, fallback, cache, mode):
    for stub in (primary, fallback):
        stub.control(mode=mode, delay_ms=100)
    served = cache(primary, fallback, **{
        **PATIENT, "error_ttl": "60s", "hedge": "300ms"})
    path = f"/v1/prices?ids={market_id()}"
    for _ in range(2):
        assert all('"status":"error"' in body
                   for body in served.herd([path] * 200))
    assert primary.calls() == 1
    assert fallback.calls() == 1


def test_ids_of_many_requests_share_calls(primary, fallback, cache):
    served = cache(primary, fallback, window="1s", **LASTING)
    ids = [market_id() for _ in range(200)]
    began = time.monotonic()
    bodies = served.herd([f"/v1/prices?ids={one}" for one in ids])
    windows = int(time.monotonic() - began) + 1
    assert all('"status":"fresh"' in body for body in bodies)
    # full calls of 50, and what each window left over
    assert 4 <= primary.calls() <= 4 + windows
    assert primary.control()["keys"] == 200


def test_a_price_is_fresh_for_its_ttl_and_then_asked_for_again(
        primary, cache):
    served = cache(primary, **{**LASTING, "ttl": "5s"})
    market = market_id()
    first = served.prices(market).market
    primary.control(shift=100)
    assert served.prices(market).market == first
    assert primary.calls() == 1

    def changed():
        return served.prices(market).market["prices"] != first["prices"]
    until(changed, 60, "the new price")
    assert primary.calls() == 2


def test_the_fallback_answers_while_the_primary_hangs(
        primary, fallback, cache):
    primary.control(mode="hang")
    served = cache(primary, fallback, budget="50s", attempt_timeout="100s")
    answer = served.prices(market_id())
    assert answer.market["status"] == "fresh"
    assert answer.market["source"] == "fallback"
    # after the hedge's 300 ms, and with the primary's call still under way
    assert answer.seconds > 0.25
    served.wait_metric(1, "price_cache_upstream_in_flight",
                       upstream="primary")
    assert served.metric("price_cache_upstream_requests_total",
                         upstream="primary") == 0


def test_known_markets_fall_back_in_batches(primary, fallback, cache):
    served = cache(primary, fallback, ttl="500ms", refresh_ahead="0ms",
                   window="20ms", **PATIENT)
    ids = [market_id() for _ in range(40)]
    before = {m["id"]: m["prices"] for m in served.prices(*ids).markets}
    primary.control(mode="status")
    until(lambda: all(m["source"] == "fallback"
                      for m in served.prices(*ids).markets), 60,
          "all from the fallback")
    after = {m["id"]: m["prices"] for m in served.prices(*ids).markets}
    assert after == before
    counts = fallback.control()
    assert counts["midpoints"] >= 1
    assert counts["markets"] == 0


def test_both_down_the_last_price_is_served_stale(primary, fallback, cache):
    served = cache(primary, fallback, ttl="300ms", refresh_ahead="0ms",
                   breaker_failures=2, breaker_open="5m",
                   breaker_open_max="5m")
    market = market_id()
    last = served.prices(market).market["prices"]
    for stub in (primary, fallback):
        stub.control(mode="hang")

    def stale():
        answer = served.prices(market).market
        return answer["stale"] and answer
    answer = until(stale, 60, "a stale price")
    assert answer["status"] == "stale"
    assert answer["prices"] == last
    assert answer["as_of"] <= time.strftime("%Y-%m-%dT%H:%M:%SZ",
                                            time.gmtime(time.time() + 1))
    for stub in (primary, fallback):
        stub.stop()

    def open_both():
        served.prices(market_id())
        return all(served.metric("price_cache_circuit_state",
                                 upstream=name) == 1
                   for name in ("primary", "fallback"))
    until(open_both, 60, "both breakers open")
    served.wait_metric(0, "price_cache_upstream_in_flight")
    # from now on at once: no call, and nobody waits for one
    calls = served.metric("price_cache_upstream_requests_total")
    for _ in range(20):
        answer = served.prices(market)
        assert answer.market["stale"] is True
        assert answer.headers["cache-status"].startswith("price-cache; hit;")
    assert served.metric("price_cache_upstream_requests_total") == calls


def test_upstreams_that_come_back_are_used_again(primary, cache):
    served = cache(primary, ttl="300ms", refresh_ahead="0ms",
                   breaker_failures=1, breaker_open="200ms",
                   breaker_open_max="500ms", error_ttl="100ms")
    market = market_id()
    served.prices(market)
    primary.control(mode="close")
    until(lambda: served.prices(market).market["stale"], 60, "stale")
    primary.control(mode="ok")
    until(lambda: served.prices(market).market["status"] == "fresh", 60,
          "fresh again")


def test_429_is_obeyed(primary, fallback, cache):
    primary.control(mode="429", retry_after=600)
    served = cache(primary, fallback, **PATIENT)
    for _ in range(6):
        assert served.prices(market_id()).market["source"] == "fallback"
    assert primary.calls() == 1


def test_after_the_time_that_429_named_the_primary_is_asked_again(
        primary, fallback, cache):
    primary.control(mode="429", retry_after=3)
    served = cache(primary, fallback, **PATIENT)
    began = time.monotonic()
    assert served.prices(market_id()).market["source"] == "fallback"
    primary.control(mode="ok")
    until(lambda: served.prices(market_id()).market["source"] == "primary",
          60, "the primary is asked again")
    assert time.monotonic() - began >= 2.9


def test_unknown_ids_are_remembered(primary, fallback, cache):
    served = cache(primary, fallback, unknown_ttl="5m", **PATIENT)
    market = market_id(UNKNOWN)
    assert served.prices(market).market["status"] == "unknown"
    counts = primary.control()
    assert (counts["open"], counts["closed"]) == (1, 1)
    for _ in range(10):
        assert served.prices(market).market["status"] == "unknown"
    assert primary.calls() == 2
    assert fallback.calls() == 0


def test_closed_markets_are_found_and_resolved_ones_pinned(primary, cache):
    served = cache(primary, ttl="200ms", refresh_ahead="0ms", **PATIENT)
    closed, resolved = market_id(CLOSED), market_id(RESOLVED)
    answer = served.prices(closed, resolved)
    assert [m["status"] for m in answer.markets] == ["fresh", "pinned"]
    assert [m["state"] for m in answer.markets] == ["closed", "resolved"]
    primary.stop()
    time_after_ttl = time.monotonic() + 0.5
    until(lambda: time.monotonic() > time_after_ttl, 60, "the ttl is over")
    answer = served.prices(resolved)
    assert answer.market["status"] == "pinned"
    assert answer.headers["cache-control"] == (
        "public, max-age=31536000, immutable")


def test_a_mixed_answer_is_200_with_a_status_each(primary, fallback, cache):
    served = cache(primary, fallback, **PATIENT)
    ids = [market_id(), market_id(UNKNOWN), market_id(RESOLVED)]
    answer = served.prices(*ids)
    assert answer.status == 200
    assert [m["id"] for m in answer.markets] == ids
    assert [m["status"] for m in answer.markets] == [
        "fresh", "unknown", "pinned"]
    assert answer.markets[0]["prices"][0].startswith("0.")


@pytest.mark.parametrize("mode", ["html", "huge", "truncated", "types", "nan",
                                  "empty", "close", "status"])
def test_hostile_answers_are_no_prices(primary, fallback, cache, mode):
    served = cache(primary, fallback, **PATIENT)
    primary.control(mode=mode)
    answer = served.prices(market_id()).market
    assert answer["status"] == "fresh"
    assert answer["source"] == "fallback"
    fallback.control(mode=mode)
    answer = served.prices(market_id()).market
    assert answer["status"] == "error"
    assert "prices" not in answer
    assert served.running()
    for stub in (primary, fallback):
        stub.control(mode="ok")
    assert until(lambda: served.prices(market_id()).market["status"] ==
                 "fresh", 60, "fresh again")


def test_hostile_answers_do_not_replace_a_price(primary, cache):
    served = cache(primary, ttl="200ms", refresh_ahead="0ms",
                   error_ttl="50ms", breaker_failures=1000, budget="25s",
                   attempt_timeout="25s")
    market = market_id()
    last = served.prices(market).market["prices"]
    for mode in ("nan", "types", "html", "truncated", "huge", "empty"):
        primary.control(mode=mode, reset=1)
        until(lambda: (served.prices(market).market["stale"] and
                       primary.calls() > 0), 60, f"{mode}: stale")
        assert served.prices(market).market["prices"] == last


def test_malformed_ids_are_refused_and_never_sent_upstream(primary, cache):
    served = cache(primary)
    good = market_id()
    bad = ["", "ids=", "ids=abc", f"ids={good}x", f"ids={good},",
           f"ids={good},0x12", "ids=" + "%00" * 66, "ids=" + "a" * 8000,
           "ids=" + ",".join(market_id() for _ in range(101)),
           f"id={good}", "ids=%22%7d"]
    for query in bad:
        answer = served.fetch(f"/v1/prices?{query}")
        assert answer.status == 400, query
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json
        assert problem["status"] == 400
        assert problem["detail"]
    assert primary.calls() == 0


@pytest.mark.parametrize("request_bytes", [
    b"\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    b"GET /v1/prices?ids=0x HTTP/9.9\r\n\r\n", b"A" * 100000,
    b"GET /v1/prices HTTP/1.1\r\nHost: x\r\n" + b"x: " + b"y" * 60000 +
    b"\r\n\r\n", b"DELETE /v1/prices HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /v1/prices HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"GET /v1/prices HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
    bytes(range(256)) * 8])
def test_malformed_requests_do_no_harm(primary, cache, request_bytes):
    served = cache(primary)
    back = served.raw(request_bytes)
    assert back == b"" or back.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4",
                                           b"HTTP/1.1 5")), back[:100]
    assert served.prices(market_id()).status == 200
    assert served.running()


def test_conditional_requests_get_304(primary, cache):
    served = cache(primary, **LASTING)
    market = market_id()
    first = served.prices(market)
    again = served.prices(market, **{"If-None-Match": first.headers["etag"]})
    assert again.status == 304
    assert again.body == ""
    assert again.headers["etag"] == first.headers["etag"]
    assert served.prices(
        market, **{"If-None-Match": '"other"'}).status == 200


def test_caching_headers_are_told(primary, cache):
    served = cache(primary, **LASTING)
    market = market_id()
    began = time.monotonic()
    first = served.prices(market)
    assert first.headers["cache-status"] == "price-cache; fwd=uri-miss"
    second = served.prices(market)
    assert second.headers["cache-status"].startswith(
        "price-cache; hit; ttl=")
    assert second.headers["cache-control"].startswith("public, max-age=")
    assert 0 <= int(second.headers["age"]) <= time.monotonic() - began


def test_memory_is_bounded_under_made_up_ids(primary, cache):
    served = cache(primary, max_unknown=200, max_markets=100,
                   primary_rate=10000, rate_burst=10000, **PATIENT)
    kept = market_id()
    served.prices(kept)
    for _ in range(20):
        served.prices(*[market_id(UNKNOWN) for _ in range(100)])
        assert served.prices(kept).market["status"] in ("fresh", "stale")

    def counted():
        return served.metric("price_cache_evictions_total") >= 1800
    until(counted, 60, "evictions are counted")
    assert served.metric("price_cache_markets", kind="unpriced") <= 200


def test_too_many_waiting_requests_get_503(primary, cache):
    primary.control(mode="hang")
    served = cache(primary, max_waiting=1, budget="60s",
                   attempt_timeout="120s")
    first = threading.Thread(target=served.prices, args=(market_id(),))
    first.start()
    until(lambda: primary.calls() == 1, 60, "one waits")
    answer = served.prices(market_id())
    assert answer.status == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json["status"] == 503
    primary.stop()
    first.join()


def test_it_drains_on_sigterm(primary, cache):
    primary.control(delay_ms=700)
    served = cache(primary, **PATIENT)
    answers = []
    asking = threading.Thread(
        target=lambda: answers.append(served.prices(market_id())))
    asking.start()
    until(lambda: primary.calls() == 1, 60, "the call is under way")
    assert served.stop() == 0
    asking.join()
    assert answers[0].market["status"] == "fresh"


def test_real_markets_are_served_as_they_are(stub, cache, tmp_path):
    if not REAL.exists():
        print(f"real Gamma objects are not there ({REAL}): made-up ones only")
        return
    lines = subprocess.run(["xz", "-dc", str(REAL)], check=True,
                           stdout=subprocess.PIPE).stdout.splitlines()[:300]
    objects = tmp_path / "objects.jsonl"
    objects.write_bytes(b"\n".join(lines) + b"\n")
    primary = stub(f"--objects={objects}")
    fallback = stub(f"--objects={objects}")
    served = cache(primary, fallback, ttl="500ms", refresh_ahead="0ms",
                   **PATIENT)
    real = {m["conditionId"]: m for m in map(json.loads, lines)}
    ids = list(real)

    def check(source):
        for at in range(0, len(ids), 100):
            for market in served.prices(*ids[at:at + 100]).markets:
                told = real[market["id"]]
                assert market["prices"] == json.loads(told["outcomePrices"])
                assert market["outcomes"] == json.loads(told["outcomes"])
                assert market["state"] == "open"
                if source:
                    assert market["source"] == source
    check("primary")
    primary.control(mode="429", retry_after=60)
    end = time.monotonic() + 0.7
    until(lambda: time.monotonic() > end, 60, "the ttl is over")
    served.prices(ids[0])
    check(None)
    until(lambda: fallback.control()["midpoints"] >= 1, 60, "midpoints")
