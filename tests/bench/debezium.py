# SPDX-License-Identifier: Apache-2.0
"""The peer of the relay: the real Debezium in Kafka Connect, tuned as its own
documentation and our measurements say it is fastest: large batches for a
backlog, no waiting anywhere for the latency. One JVM for the whole run, so that
it is warm after the first case, as it would be in production."""

from cost import cpu_seconds, peak_mib
from harness.connect import Connect, outbox_connector
from harness.wait import until

JVM = ("-Xms1g", "-Xmx1g", "-XX:+UseParallelGC")
THROUGHPUT = {
    "max__batch__size": "8192", "max__queue__size": "32768",
    "poll__interval__ms": "5", "producer__override__linger__ms": "5",
    "producer__override__batch__size": "131072"}
LATENCY = {"poll__interval__ms": "1", "producer__override__linger__ms": "0"}


class Debezium:
    def __init__(self, bootstrap):
        self.worker = Connect(bootstrap, JVM).start()

    def stop(self):
        self.worker.stop()

    def begin(self, home, slot, prefix, tuning, wait=True):
        """A connector on the home's table, which is named as its slot is."""
        self.worker.add(slot, outbox_connector(
            home.alone, slot, slot, home.publication, home.table,
            {"route.topic.replacement": prefix + "${routedByValue}"},
            **tuning))
        if wait:
            until(lambda: self.worker.state(slot) == "RUNNING"
                  and home.reader_of(slot), 120,
                  f"Debezium reads {slot}, see {self.worker.log}", every=0.1)

    def end(self, home, slot):
        self.worker.remove(slot)
        until(lambda: not home.reader_of(slot), 60, f"{slot} is left")

    def cpu(self):
        return cpu_seconds(self.worker.process.pid)

    def peak_mib(self):
        return peak_mib(self.worker.process.pid)
