"""The real Debezium: one Kafka Connect worker (standalone), whose connectors
come and go over its REST interface. One JVM serves a whole run, since its start
costs more than a test. Ended by its pid."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request

from .cell import ROOT
from .ports import free_port
from .wait import until

HERE = pathlib.Path(__file__).resolve().parent
SMALL_JVM = ("-Xmx384m", "-XX:+UseSerialGC")

WORKER = """\
bootstrap.servers={bootstrap}
listeners=http://127.0.0.1:{port}
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
offset.storage.file.filename={home}/offsets
offset.flush.interval.ms=200
plugin.discovery=hybrid_warn
"""

LOG4J = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1} %m%n%throwable{short}
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""


def outbox_connector(alone, name, slot, publication, table, router=None,
                     **more):
    """The configuration of a connector with the outbox event router, on an
    application's table (harness.alone). router: options of the transform; more:
    of the connector, with double underscores for dots."""
    host, port, password = alone.login()
    return {
        "connector.class":
            "io.debezium.connector.postgresql.PostgresConnector",
        "plugin.name": "pgoutput", "slot.name": slot,
        "publication.name": publication,
        "publication.autocreate.mode": "disabled",
        "table.include.list": table, "topic.prefix": name,
        "snapshot.mode": "no_data", "tombstones.on.delete": "false",
        "poll.interval.ms": "20", "extended.headers.enabled": "false",
        "transforms": "outbox",
        "transforms.outbox.type":
            "io.debezium.transforms.outbox.EventRouter",
        "database.hostname": host, "database.port": port,
        "database.user": "ch_relay", "database.password": password,
        "database.dbname": alone.name,
        **{f"transforms.outbox.{k}": v for k, v in (router or {}).items()},
        **{k.replace("__", "."): v for k, v in more.items()}}


def jars():
    """The class path's directory; fetched when it is not there."""
    run = subprocess.run([str(HERE / "fetch-debezium.sh")], cwd=ROOT, check=True,
                         stdout=subprocess.PIPE, text=True)
    return run.stdout.strip().splitlines()[-1]


class Connect:
    """One worker, and the connectors on it."""

    def __init__(self, bootstrap, jvm=SMALL_JVM):
        self.jvm = jvm
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="ch-connect-"))
        self.port = free_port()
        (self.home / "worker.properties").write_text(WORKER.format(
            bootstrap=bootstrap, port=self.port, home=self.home))
        (self.home / "log4j2.properties").write_text(LOG4J)
        self.log = self.home / "log"
        self.process = None

    def start(self):
        argv = ["java", *self.jvm,
                f"-Dlog4j2.configurationFile={self.home}/log4j2.properties",
                "-cp", f"{jars()}/*",
                "org.apache.kafka.connect.cli.ConnectStandalone",
                str(self.home / "worker.properties")]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=os.environ)
        until(lambda: self.ask("GET", "/connectors")[0] == 200, 120,
              f"Kafka Connect answers, see {self.log}", every=0.2)
        return self

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)

    def logged(self):
        return self.log.read_text(errors="replace")

    def ask(self, method, path, body=None):
        """(status, answer) of the REST interface; (0, None): none."""
        assert self.process.poll() is None, self.logged()[-4000:]
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()
        except OSError:
            return 0, None

    def state(self, name):
        """"RUNNING", "FAILED", ... of the connector's one task; "": none."""
        status, answer = self.ask("GET", f"/connectors/{name}/status")
        if status != 200 or not answer["tasks"]:
            return ""
        return answer["tasks"][0]["state"]

    def add(self, name, config):
        status, answer = self.ask("PUT", f"/connectors/{name}/config", config)
        assert status in (200, 201), answer

    def remove(self, name):
        status, answer = self.ask("DELETE", f"/connectors/{name}")
        assert status in (204, 404), answer
