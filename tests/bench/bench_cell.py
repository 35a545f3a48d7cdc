# SPDX-License-Identifier: Apache-2.0
"""The test cell as the benchmarks use it: databases as copies of a prepared
one, connections of a chosen kind, PostgreSQL's tools and bench-load."""

import contextlib
import json
import os
import subprocess
import time
import urllib.parse
import uuid

import psycopg2

from cost import cpu_seconds
from harness.cell import OUT
from harness.kafka import Kafka


class BenchCell:
    def __init__(self, cell):
        self.cell = cell
        self.kafka = Kafka(cell.bootstrap)
        self.databases = []

    def copy_of(self, template):
        """A database made of another, file by file."""
        name = "b" + uuid.uuid4().hex[:10]
        self.as_superuser("postgres", f"CREATE DATABASE {name} OWNER ch_owner "
                          f"TEMPLATE {template} STRATEGY file_copy")
        self.databases.append(name)
        return name

    def drop(self, name):
        self.cell.drop_database(name)
        self.databases.remove(name)

    def drop_all(self):
        for name in list(self.databases):
            self.drop(name)

    def as_superuser(self, database, *statements):
        db = psycopg2.connect(self.cell.url("superuser", database))
        db.autocommit = True
        with db.cursor() as cur:
            for sql in statements:
                cur.execute(sql)
            rows = cur.fetchall() if cur.description else None
        db.close()
        return rows

    def url(self, role, database, kind):
        """A role's URI over "socket" or "tcp"."""
        if kind == "tcp":
            return self.cell.url(role, database)
        host = urllib.parse.quote(self.cell.env["PGHOST"], safe="")
        return (f"postgresql://ch_{role}@/{database}?host={host}"
                f"&port={self.cell.env['PGPORT']}")

    def checkpoint(self):
        """The first change of a page after it costs a full page of WAL: each
        measurement begins alike."""
        self.as_superuser("postgres", "CHECKPOINT")

    def wal_bytes(self):
        """How much WAL was ever written."""
        return int(self.as_superuser(
            "postgres", "SELECT pg_current_wal_insert_lsn() - '0/0'")[0][0])

    def timed(self, database, sql):
        """(seconds, the backend's CPU seconds) of one statement."""
        db = psycopg2.connect(self.cell.url("superuser", database))
        db.autocommit = True
        pid = db.info.backend_pid
        with db.cursor() as cur:
            before, began = cpu_seconds(pid), time.monotonic()
            cur.execute(sql)
            told = (time.monotonic() - began, cpu_seconds(pid) - before)
        db.close()
        return told

    def argv(self, verb, flags):
        return [str(OUT / "bin" / "bench-load"), verb,
                f"--bootstrap={self.cell.bootstrap}",
                *(f"--{k}={v}" for k, v in flags.items())]

    def load(self, verb, **flags):
        """bench-load's answer."""
        argv = self.argv(verb, flags)
        run = subprocess.run(argv, stdout=subprocess.PIPE, text=True,
                             check=False)
        if run.returncode != 0:
            raise RuntimeError(f"{argv}: status {run.returncode}: "
                               f"{run.stdout}")
        return json.loads(run.stdout)

    @contextlib.contextmanager
    def serving(self, verb, **flags):
        """bench-load beside what is done meanwhile, until it has done all."""
        argv = self.argv(verb, flags)
        with subprocess.Popen(argv, stdout=subprocess.PIPE,
                              text=True) as serving:
            yield
            told, _ = serving.communicate(timeout=120)
        if serving.returncode != 0:
            raise RuntimeError(f"{argv}: status {serving.returncode}: {told}")

    def pgbench(self, database, *args):
        """The last lines of pgbench, as it prints them."""
        run = subprocess.run(
            ["pgbench", "-n", *args, database], check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PGHOST": self.cell.env["PGHOST"],
                 "PGPORT": self.cell.env["PGPORT"], "PGUSER": "ch_owner",
                 "PGOPTIONS": "-c search_path=ch"})
        if run.returncode != 0 or "aborted" in run.stderr:
            raise RuntimeError(f"pgbench: {run.stderr[-2000:]}{run.stdout}")
        return run.stdout


def postgres_with(cell, **settings):
    """PostgreSQL started anew where it has other values of these."""
    db = cell.connect("superuser", "postgres")
    changed = False
    with db.cursor() as cur:
        for name, value in settings.items():
            cur.execute(f"SHOW {name}")
            if cur.fetchone()[0] != value:
                cur.execute(f"ALTER SYSTEM SET {name} = '{value}'")
                changed = True
    db.close()
    if changed:
        cell.script("postgres.sh", "stop")
        cell.script("postgres.sh", "start")
        cell.read_env()


def pgbench_tps(text):
    for line in text.splitlines():
        if line.startswith("tps = "):
            return float(line.split()[2])
    raise ValueError(f"pgbench told no tps: {text}")
