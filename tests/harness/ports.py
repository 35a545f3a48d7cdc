"""Ports for servers that come back on the one they had, or listen only a while
after it was chosen. Below the range from which outgoing connections are made:
no client's socket may sit on one meanwhile, nor a client that tries again and
again meet itself there."""

import os
import pathlib
import random
import socket


def reserve(port):
    """As reserve_port() of deploy/local/lib.sh, whose files these are: false
    when somebody has chosen it who does not listen yet."""
    where = pathlib.Path(os.environ.get("TMPDIR", "/tmp"))
    where /= f"countinghouse-ports-{os.getuid()}"
    where.mkdir(mode=0o700, exist_ok=True)
    try:
        (where / str(port)).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def free_port():
    """One of 127.0.0.1 on which nobody listens just now."""
    drawn = random.SystemRandom()
    for _ in range(200):
        port = drawn.randrange(20000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            if reserve(port):
                return port
    raise AssertionError("no free port found from 20000 to 31999")
