"""price-cache and its upstream stubs as processes, and answers over HTTP."""

import json
import pathlib
import random
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from harness.cell import OUT, ROOT
from harness.daemon import Daemon
from harness.wait import until


# A busy machine must not look like a slow upstream, nor end a price's time.
PATIENT = {"hedge": "20s", "budget": "25s", "stale_wait": "20s",
           "attempt_timeout": "25s"}
LASTING = {"ttl": "5m", "refresh_ahead": "0ms", **PATIENT}


class Stub:
    """tests/support/upstream_stub.c as a process."""

    def __init__(self, *options):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ch-stub-"))
        self.log = self.dir / "calls"
        self.port_file = self.dir / "port"
        self.options = options
        self.port = 0
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [str(OUT / "bin" / "upstream-stub"),
             f"--listen=127.0.0.1:{self.port}", f"--log={self.log}",
             f"--port-file={self.port_file}", *self.options],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.port = until(
            lambda: self.port_file.exists() and
            int(self.port_file.read_text().strip() or 0), 60, "stub's port")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def control(self, **switches):
        query = "&".join(f"{k}={v}" for k, v in switches.items())
        with urllib.request.urlopen(f"{self.url}/_control?{query}",
                                    timeout=60) as answer:
            return json.load(answer)

    def calls(self):
        return self.control()["calls"]

    def stop(self):
        self.process.kill()
        self.process.wait(10)


class Answer:
    """One HTTP answer."""

    def __init__(self, status, headers, body, seconds):
        self.status, self.headers, self.body = status, headers, body
        self.seconds = seconds

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def markets(self):
        assert self.status == 200, (self.status, self.body)
        return self.json["prices"]

    @property
    def market(self):
        assert len(self.markets) == 1
        return self.markets[0]


class PriceCache(Daemon):
    """The daemon and its public port."""

    def __init__(self, **flags):
        self.public_file = pathlib.Path(
            tempfile.mkdtemp(prefix="ch-pc-")) / "port"
        super().__init__("price-cache", listen="127.0.0.1:0",
                         public_port_file=str(self.public_file), **flags)
        self.public = int(self.public_file.read_text())

    def fetch(self, path, headers=None, method="GET"):
        url = f"http://127.0.0.1:{self.public}{path}"
        request = urllib.request.Request(url, headers=headers or {},
                                         method=method)
        began = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                status, head, body = (answer.status, answer.headers,
                                      answer.read())
        except urllib.error.HTTPError as refused:
            status, head, body = (refused.code, refused.headers,
                                  refused.read())
        return Answer(status, head, body.decode(),
                      time.monotonic() - began)

    def prices(self, *ids, **headers):
        return self.fetch("/v1/prices?ids=" + ",".join(ids), headers)

    def herd(self, targets):
        """Opens a connection for each path, asks on all of them, then reads
        all answers: the bodies."""
        sockets = [socket.create_connection(("127.0.0.1", self.public), 60)
                   for _ in targets]
        for sock, path in zip(sockets, targets):
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n"
                         "Connection: close\r\n\r\n".encode())
        bodies = []
        for sock in sockets:
            with sock, sock.makefile("rb") as answer:
                text = answer.read().decode()
            assert text.startswith("HTTP/1.1 200"), text[:300]
            bodies.append(text.partition("\r\n\r\n")[2])
        return bodies

    def raw(self, data):
        """What comes back for these bytes (may be nothing)."""
        with socket.create_connection(("127.0.0.1", self.public), 10) as sock:
            try:
                sock.sendall(data)
                return sock.recv(65536)
            except OSError:
                return b""  # it may hang up in the middle of them


def market_id(first=0x11):
    """A made-up id; the stub knows by its first byte what it is: 0x00 unknown,
    0x01 closed, 0x02 resolved, else open."""
    return "0x" + bytes([first, *random.randbytes(31)]).hex()
