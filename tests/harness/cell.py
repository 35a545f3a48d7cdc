"""A cell for tests: one Kafka and one PostgreSQL, private, on free ports.

Started once a test run by deploy/local, the scripts that `make run` uses too.
Each test gets a database of its own (made from a migrated template) and topics
of its own, so that tests do not see each other. CH_TEST_STATE names a state
directory to keep running between runs while one works on a test.
"""

import datetime
import os
import pathlib
import shlex
import subprocess
import tempfile
import uuid

import psycopg2

from .wait import until

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOCAL = ROOT / "deploy" / "local"
OUT = pathlib.Path(os.environ.get("OUT", "build/debug"))
OUT = OUT if OUT.is_absolute() else ROOT / OUT
SHARED = ROOT.parent / "shared"
TEMPLATE = "countinghouse"


def today():
    return datetime.datetime.now(datetime.timezone.utc).date()


def kept_state():
    """CH_TEST_STATE, of which each worker has its own."""
    kept = os.environ.get("CH_TEST_STATE")
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    return f"{kept}-{worker}" if kept and worker else kept


class Cell:
    """A running Kafka and PostgreSQL."""

    # a broker of a minute is mostly its compiler's work
    jvm = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1"}
    day = None  # of the template's deploy

    def __init__(self):
        kept = kept_state()
        self.kept = bool(kept)
        self.state = pathlib.Path(kept or tempfile.mkdtemp(prefix="ch-test-"))
        if not self.kept:
            self.state.chmod(0o755)  # PostgreSQL's user must pass through
        self.env = {}
        self.more = {}  # what the scripts and the servers find besides

    def script(self, name, *args, check=True):
        run = subprocess.run(
            [str(LOCAL / name), *args], cwd=ROOT, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**self.jvm, **os.environ, **self.more,
                 "CH_STATE": str(self.state)})
        if check and run.returncode != 0:
            raise RuntimeError(f"{name} {args}: status {run.returncode}\n"
                               f"{run.stdout}")
        return run

    def start(self):
        self.script("kafka.sh", "start")
        self.script("postgres.sh", "start")
        self.read_env()
        if not self.migrated():
            self.script("migrate.sh")
        self.day = self.deployed()
        return self

    def stop(self):
        if self.kept:
            return
        self.script("kafka.sh", "kill", check=False)
        self.script("postgres.sh", "destroy", check=False)
        subprocess.run(["rm", "-rf", str(self.state)], check=False)

    def read_env(self):
        for line in (self.state / "env").read_text().splitlines():
            name, _, value = line.partition("=")
            words = shlex.split(value)
            self.env[name.removeprefix("export ")] = words[0] if words else ""

    def migrated(self):
        with self.connect() as db, db.cursor() as cur:
            cur.execute("SELECT to_regclass('ch.markets') IS NOT NULL")
            return cur.fetchone()[0]

    def deployed(self):
        with self.connect() as db, db.cursor() as cur:
            cur.execute("SELECT lowest_day + 1 FROM retention "
                        "WHERE table_name = 'command_log'")
            return cur.fetchone()[0]

    @property
    def bootstrap(self):
        return self.env["BOOTSTRAP"]

    def url(self, role, database=TEMPLATE):
        """The connection URI of a role: owner, superuser, writer, relay,
        reconciler, cache, reader, operator."""
        name = {"owner": "DATABASE_URL"}.get(role, f"{role.upper()}_URL")
        return self.env[name].replace(f"/{TEMPLATE}?", f"/{database}?")

    def connect(self, role="owner", database=TEMPLATE):
        db = psycopg2.connect(self.url(role, database))
        db.autocommit = True
        with db.cursor() as cur:
            cur.execute("SET search_path = ch")
        return db

    def fresh_database(self, tablespace="pg_default"):
        """A new database with the schema and nothing in it. Its first days
        are those of the deploy: over midnight that is done again."""
        if self.day not in (None, today()):
            self.script("migrate.sh", "revert")
            self.script("migrate.sh")
            self.day = self.deployed()
        name = "t" + uuid.uuid4().hex[:12]
        db = psycopg2.connect(self.url("superuser", "postgres"))
        db.autocommit = True

        def created():
            try:
                with db.cursor() as cur:
                    cur.execute(f"CREATE DATABASE {name} OWNER ch_owner "
                                f"TEMPLATE {TEMPLATE} TABLESPACE {tablespace}")
                return True
            except psycopg2.errors.ObjectInUse:
                return False  # a session of the template's is ending
        until(created, 60, f"database {name} made from {TEMPLATE}")
        db.close()
        return name

    def drop_database(self, name):
        db = psycopg2.connect(self.url("superuser", "postgres"))
        db.autocommit = True
        with db.cursor() as cur:
            cur.execute("SELECT slot_name FROM pg_replication_slots "
                        "WHERE database = %s", (name,))
            for (slot,) in cur.fetchall():
                drop_slot(cur, slot)
            cur.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        db.close()


class Broker:
    """A Kafka of its own beside the cell's, with more properties."""

    def __init__(self, properties):
        self.state = tempfile.mkdtemp(prefix="ch-kafka-")
        self.properties = properties

    def script(self, *args, check=True):
        return subprocess.run(
            [str(LOCAL / "kafka.sh"), *args], cwd=ROOT, check=check,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "CH_STATE": self.state,
                 "CH_KAFKA_PROPERTIES": self.properties})

    def start(self):
        """Its bootstrap."""
        self.script("start")
        env = (pathlib.Path(self.state) / "env").read_text()
        for line in env.splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            if name == "BOOTSTRAP":
                return shlex.split(value)[0]
        raise RuntimeError(f"kafka.sh wrote no BOOTSTRAP: {env}")

    def stop(self):
        self.script("kill", check=False)
        subprocess.run(["rm", "-rf", self.state], check=False)


def drop_slot(cur, slot):
    """Ends who reads it; the slot is free a moment later."""
    def dropped():
        try:
            cur.execute("SELECT pg_terminate_backend(active_pid) FROM "
                        "pg_replication_slots WHERE slot_name = %s "
                        "AND active", (slot,))
            cur.execute("SELECT pg_drop_replication_slot(%s)", (slot,))
            return True
        except psycopg2.errors.UndefinedObject:
            return True  # it was being made, and its maker ended
        except psycopg2.Error:
            return False
    until(dropped, 60, f"slot {slot} dropped")
