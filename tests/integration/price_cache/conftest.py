"""price-cache with upstream stubs of each test's own."""

import pytest

from price_world import PriceCache, Stub


@pytest.fixture
def stub():
    """stub(options...) starts an upstream that ends with the test."""
    started = []

    def start(*options):
        started.append(Stub(*options))
        return started[-1]
    yield start
    for one in started:
        one.stop()


@pytest.fixture
def primary(stub):
    return stub("--seed=7", "--tick-ms=0")


@pytest.fixture
def fallback(stub):
    return stub("--seed=7", "--tick-ms=0")


@pytest.fixture
def cache():
    """cache(flags...) starts a price-cache that ends with the test."""
    started = []

    def start(primary, fallback=None, **flags):
        if fallback is not None:
            flags["fallback_url"] = fallback.url
        started.append(PriceCache(primary_url=primary.url, **flags))
        return started[-1]
    yield start
    for daemon in started:
        daemon.kill()
