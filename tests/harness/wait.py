"""Waiting means polling with a deadline."""

import time


def until(condition, seconds=30, what="condition", every=0.05):
    """Polls condition() until it returns something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(every)
