"""The feed server as a process, and what its frames must become in Kafka."""

import collections
import hashlib
import json
import pathlib
import subprocess
import tempfile

from harness.cell import OUT, ROOT
from harness.wait import until


class Feed:
    """One feed-server. Commands go through its control file, what it sent is
    read from its file of frames."""

    def __init__(self, port=0, seed=1, **flags):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ch-feed-"))
        self.sent_file = self.dir / "sent"
        self.control = self.dir / "control"
        self.control.touch()
        self.commands = 0
        self.start(port, seed, **flags)

    def start(self, port=0, seed=1, loop=False, restamp=False, **flags):
        port_file = self.dir / "port"
        port_file.unlink(missing_ok=True)
        argv = [str(OUT / "bin" / "feed-server"),
                f"--listen=127.0.0.1:{port}", f"--port-file={port_file}",
                f"--seed={seed}", f"--sent={self.sent_file}",
                f"--control={self.control}"]
        argv += ["--loop"] * loop + ["--restamp"] * restamp
        argv += [f"--{k.replace('_', '-')}={v}" for k, v in flags.items()]
        with (self.dir / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, cwd=ROOT, stderr=log,
                                            stdin=subprocess.DEVNULL)
        until(port_file.exists, 60, "the feed server listens")
        self.port = int(port_file.read_text())

    @property
    def url(self):
        return f"ws://127.0.0.1:{self.port}/"

    def do(self, *commands):
        """Returns once the server has carried them out."""
        with self.control.open("a") as control:
            control.write("".join(f"{c}\n" for c in commands))
        self.commands += len(commands)
        log = self.dir / "log"
        until(lambda: log.read_bytes().count(b" event=feed.done ")
              >= self.commands, 60, f"the feed server did {commands}")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)

    def count(self):
        """How many trades rows went out, on all connections."""
        return self.sent_file.read_bytes().count(b'"type":"trades"}}\n')

    def sent(self, kinds=("trades",)):
        """(connection, frame) of every frame that went out, in order; the
        numbers in a frame are texts, as they stood in it."""
        out = []
        whole = self.sent_file.read_text().rpartition("\n")[0]
        for line in whole.splitlines():
            row = json.loads(line, parse_float=str, parse_int=str)
            if row["frame"]["type"] in kinds:
                out.append((int(row["conn"]), row["frame"]))
        return out


def shortest(number):
    """The documented spelling of a plain decimal in an identity."""
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return number


def content(frame):
    p = frame["payload"]
    return (p["transactionHash"].lower(), p["proxyWallet"].lower(),
            p["asset"], p["side"], shortest(p["price"]), shortest(p["size"]),
            frame["type"])


def trade_id(key, ordinal):
    text = "countinghouse.trade.1\n" + "".join(f"{f}\n" for f in key)
    return hashlib.sha256(f"{text}{ordinal}\n".encode()).hexdigest()


def expected(sent):
    """trade_id -> frame: ordinals count on each connection and merge as the
    maximum of a multiset. Written from the documentation, not from the C."""
    seen = collections.Counter()
    ids = {}
    for conn, frame in sent:
        key = content(frame)
        ids.setdefault(trade_id(key, seen[conn, key]), frame)
        seen[conn, key] += 1
    return ids


def records(kafka, topic):
    return [json.loads(r["payload"]) for r in kafka.read(topic)]


def assert_same(frame, record):
    """Every field of a record is that of its frame, numbers digit by digit."""
    p = frame["payload"]
    want = {"condition_id": p["conditionId"].lower(), "asset": p["asset"],
            "wallet": p["proxyWallet"].lower(), "side": p["side"],
            "price": p["price"], "size": p["size"], "outcome": p["outcome"],
            "outcome_index": int(p["outcomeIndex"]),
            "tx_hash": p["transactionHash"].lower(), "source": frame["type"],
            "title": p["title"], "slug": p["slug"]}
    assert {k: record[k] for k in want} == want
