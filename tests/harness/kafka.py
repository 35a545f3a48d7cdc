"""Records in and out of Kafka by kcat, a client that is not ours."""

import json
import os
import pathlib
import subprocess
import tempfile
import uuid

from .cell import OUT
from .wait import until

KCAT_SECONDS = 90


def kcat_to_end(bootstrap, topic, *args, start="beginning"):
    """What kcat reads of a topic, to its end: bytes. Once it fell asleep for
    good before an end that moved on (librdkafka 2.0.2, an idle connection and
    threads that wait): then it is asked again."""
    def read():
        try:
            return (subprocess.run(
                ["kcat", "-C", "-b", bootstrap, "-t", topic, "-o", start,
                 "-e", "-q", *args], check=True, timeout=KCAT_SECONDS,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout,)
        except subprocess.TimeoutExpired:
            return None
    return until(read, 4 * KCAT_SECONDS, f"kcat reads {topic} to its end")[0]


class Kafka:
    """kcat on one broker."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap

    def unique(self, name):
        return f"{name}.{uuid.uuid4().hex[:8]}"

    def create(self, *names, partitions=4, config=()):
        """Makes topics at once, without a JVM (deploy/local/topics.c)."""
        lines = "".join(f"{n} {partitions} delete - {' '.join(config)}\n"
                        for n in names)
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as conf:
            conf.write(lines)
            conf.flush()
            # a broker that a test has stopped may still be on its way back
            subprocess.run([str(OUT / "bin" / "topics"), "--wait", "120",
                            "--bootstrap", self.bootstrap, conf.name],
                           check=True, stdout=subprocess.DEVNULL)
        return names

    def tool(self, name, *args):
        """Runs one of Kafka's own tools (a JVM)."""
        return self.java(name, *args, stderr=subprocess.STDOUT)

    def console(self, topic, count):
        """What the console consumer prints of so many records: bytes."""
        shown = [f"--property=print.{what}=true"
                 for what in ("partition", "headers", "key")]
        return self.java("consumer.ConsoleConsumer", "--topic", topic,
                         "--from-beginning", "--max-messages", str(count),
                         *shown, stderr=subprocess.DEVNULL)

    def java(self, name, *args, stderr):
        if not name.startswith("kafka."):
            name = f"org.apache.kafka.tools.{name}"
        cache = pathlib.Path(os.environ.get("CH_CACHE") or pathlib.Path(
            os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
            / "countinghouse")
        (libs,) = (cache / "kafka").glob("*/libs")
        return subprocess.run(
            ["java", "-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp", f"{libs}/*",
             name, "--bootstrap-server", self.bootstrap, *args], check=True,
            stdout=subprocess.PIPE, stderr=stderr).stdout

    def may_write(self, topic, allowed, sees=True):
        """Denies everybody's records in the topic (and, sees=False, to know
        whether it is there), or takes that back. Of a broker with an
        authorizer."""
        if not allowed:
            some = ("User:*", "--operation", "Describe", "--operation", "Read")
            self.tool("AclCommand", "--add", "--allow-principal",
                      *(some if sees else
                        ("User:somebody", "--operation", "Write")),
                      "--topic", topic)
            return
        self.tool("AclCommand", "--remove", "--force", "--topic", topic)

    def add_partitions(self, topic, count):
        """So many then."""
        self.tool("TopicCommand", "--alter", "--topic", topic,
                  "--partitions", str(count))

    def quota(self, client_id, bytes_a_second):
        """How much a client may write; None: as much as it likes."""
        change = (["--delete-config", "producer_byte_rate"]
                  if bytes_a_second is None else
                  ["--add-config", f"producer_byte_rate={bytes_a_second}"])
        self.tool("kafka.admin.ConfigCommand", "--alter", *change,
                  "--entity-type", "clients", "--entity-name", client_id)

    def set_config(self, topic, change):
        """change: name=value."""
        self.tool("kafka.admin.ConfigCommand", "--alter", "--add-config",
                  change, "--entity-type", "topics", "--entity-name", topic)

    def delete(self, topic):
        """Gone for good."""
        self.tool("TopicCommand", "--delete", "--topic", topic)

    def trim(self, topic, partition, offset):
        """Drops the records before the offset, as retention does."""
        with tempfile.NamedTemporaryFile("w", suffix=".json") as place:
            json.dump({"version": 1, "partitions": [
                {"topic": topic, "partition": partition, "offset": offset}]},
                place)
            place.flush()
            self.tool("DeleteRecordsCommand", "--offset-json-file", place.name)

    def produce(self, topic, records, partition=None):
        """records: (key, value) texts without newline or tab; keyed as Java's
        default partitioner would, unless a partition is given."""
        lines = "".join(f"{k}\t{v}\n" for k, v in records)
        where = [] if partition is None else ["-p", str(partition)]
        subprocess.run(["kcat", "-P", "-b", self.bootstrap, "-t", topic, "-K",
                        "\t", "-X", "partitioner=murmur2_random", *where],
                       input=lines.encode(), check=True,
                       stderr=subprocess.PIPE)

    def produce_at(self, topic, records, ms, partition=0):
        """(key, value) texts whose time in Kafka is that."""
        lines = "".join(f"{topic} {partition} {ms} {k.encode().hex()} "
                        f"{v.encode().hex()}\n" for k, v in records)
        subprocess.run([str(OUT / "bin" / "write-records"), self.bootstrap],
                       input=lines.encode(), check=True)

    def produce_raw(self, topic, value, key=None, headers=(), partition=0):
        """One record of any bytes."""
        with tempfile.NamedTemporaryFile() as body:
            body.write(value)
            body.flush()
            cmd = ["kcat", "-P", "-b", self.bootstrap, "-t", topic,
                   "-p", str(partition)]
            if key is not None:
                cmd += ["-k", key]
            for name, text in headers:
                cmd += ["-H", f"{name}={text}"]
            subprocess.run([*cmd, body.name], check=True,
                           stderr=subprocess.PIPE)

    def read(self, topic):
        """All records of a topic now, as kcat's JSON: topic, partition,
        offset, ts, headers, key, payload."""
        out = kcat_to_end(self.bootstrap, topic, "-J", "-X",
                          "isolation.level=read_committed")
        return [json.loads(line) for line in out.splitlines()]

    def read_bytes(self, topic):
        """All records of a topic now, byte for byte: (partition, offset, key,
        value); None for null."""
        out = kcat_to_end(self.bootstrap, topic, "-f", "%p %o %K %S\n%k%s",
                          "-X", "isolation.level=read_committed")
        records, at = [], 0
        while at < len(out):
            head, at = out[at:out.index(b"\n", at)], out.index(b"\n", at) + 1
            part, offset, key_len, value_len = map(int, head.split())
            pair = []
            for size in (key_len, value_len):
                pair.append(None if size < 0 else out[at:at + size])
                at += max(size, 0)
            records.append((part, offset, *pair))
        return records


def header(record, name):
    """The value of a header of a record as kcat's JSON shows it."""
    pairs = record.get("headers") or []
    for at in range(0, len(pairs) - 1, 2):
        if pairs[at] == name:
            return pairs[at + 1]
    return None
