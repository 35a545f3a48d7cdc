# SPDX-License-Identifier: Apache-2.0
"""How figures are printed, and where sizes come from."""

import json
import os
import sys
import time

BEGAN = time.monotonic()


def say(text):
    """Progress, for people."""
    print(f"{time.monotonic() - BEGAN:6.1f} s  {text}", file=sys.stderr,
          flush=True)


def size(name, default):
    """A number from the environment; empty counts as unset."""
    return int(os.environ.get(name) or default)


def words(name, default):
    return (os.environ.get(name) or default).split()


def short(value):
    """Four digits are more than such a measurement is worth."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def figure(bench, case, unit, ours, peer=None, limit=None, **more):
    """One line of the result."""
    line = {"bench": bench, "case": case, "ours": ours, "peer": peer,
            "limit": limit,
            "ratio_peer": ours / peer if peer else None,
            "ratio_limit": ours / limit if limit else None,
            "unit": unit, **more, "load": os.getloadavg()[0],
            "cpus": os.cpu_count()}
    print(json.dumps({k: short(v) for k, v in line.items()}), flush=True)
