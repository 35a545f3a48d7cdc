"""Fixtures: feed servers, a topic, and trade-streams between them."""

import pytest

from feed_server import Feed

# Quick to come back, slow to leave: what a reconnect takes away was sent, and
# nobody sends it again. Tests of the limits give their own.
FAST = {"ping_every": "200ms", "pong_within": "60s", "stale_after": "5m",
        "backoff_min": "20ms", "backoff_max": "200ms"}


@pytest.fixture
def feeds():
    """feeds(**flags) starts a feed server that ends with the test."""
    started = []

    def start(**flags):
        started.append(Feed(**flags))
        return started[-1]
    yield start
    for feed in started:
        feed.kill()


@pytest.fixture
def topic(kafka):
    name = kafka.unique("market.trades")
    kafka.create(name)
    return name


@pytest.fixture
def streams(daemons, kafka, topic):
    """streams(feed, **params) starts a trade-stream on that feed."""
    def start(feed, wait_ready=True, **params):
        return daemons("trade-stream", wait_ready=wait_ready,
                       params={**FAST, "feed_url": feed.url,
                               "bootstrap": kafka.bootstrap,
                               "topic": topic, **params})
    return start
