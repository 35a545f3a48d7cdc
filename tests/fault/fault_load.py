"""The load: demo-producer at a fixed rate (hot account, hot SKU, duplicates,
refusals, malformed records; writes what Kafka acknowledged), and bursts of the
property test's commands of every family (tests/support/ledger_feed.c): groups,
holds, reversals, shards, orders, trades with skims, pools, settlements; some
through two partitions at once. A burst makes a batch that is large enough for
COPY."""

import json
import subprocess

from harness.cell import OUT, ROOT
from ledger_feed import Feed


class Load:
    def __init__(self, fleet, seed, rate):
        self.fleet, self.rng = fleet, fleet.rng
        self.sent = fleet.dir / "sent.ndjson"
        self.status = fleet.dir / "producer.json"
        self.seed, self.rate = seed, rate
        self.process = None
        self.feed = None

    def start(self):
        self.feed = Feed(self.fleet.cell.bootstrap, self.fleet.commands,
                         self.seed, twice=60)
        begun = self.feed.begin()
        self.fleet.wait(lambda: self.fleet.consumed() >= begun, 60,
                        "the bursts' accounts are open")
        log = (self.fleet.dir / "producer.log").open("ab")
        self.process = subprocess.Popen(
            [str(OUT / "bin" / "demo-producer"),
             f"--bootstrap={self.fleet.cell.bootstrap}",
             f"--topic={self.fleet.commands}", f"--rate={self.rate}",
             f"--seed={self.seed}", f"--sent={self.sent}",
             f"--status={self.status}"], cwd=ROOT,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    @property
    def bursts(self):
        return self.feed.sent

    def burst(self):
        self.feed.send(self.rng.randint(150, 400))

    def acknowledged(self):
        if not self.status.exists():
            return 0
        return json.loads(self.status.read_text())["acked"] + self.bursts

    def finish(self, least):
        """Ends when so many commands have flowed."""
        def enough():
            assert self.process.poll() is None, self.log()
            return self.acknowledged() >= least
        self.fleet.wait(enough, 600, f"{least} commands sent", every=0.5)
        self.process.terminate()
        status = self.process.wait(90)
        assert status == 0, f"demo-producer: status {status}\n{self.log()}"
        self.feed.end()

    def log(self):
        return (self.fleet.dir / "producer.log").read_text()[-2000:]

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        if self.feed is not None:
            self.feed.kill()

    def acked(self):
        with self.sent.open() as lines:
            return [json.loads(line) for line in lines]
