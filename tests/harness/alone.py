"""The relay without the ledger: an application's database, and in it what
deploy/alone/install.sql makes."""

import subprocess
import urllib.parse
import uuid

import psycopg2

from .cell import ROOT

INSTALL = ROOT / "deploy" / "alone" / "install.sql"


class Alone:
    """An empty database of an application."""

    def __init__(self, cell, options=""):
        self.cell = cell
        self.name = "app" + uuid.uuid4().hex[:10]
        admin = psycopg2.connect(cell.url("superuser", "postgres"))
        admin.autocommit = True
        with admin.cursor() as cur:
            cur.execute(f"CREATE DATABASE {self.name} TEMPLATE template0 "
                        + options)
        admin.close()

    def connect(self):
        db = psycopg2.connect(self.cell.url("superuser", self.name))
        db.autocommit = True
        return db

    def url(self):
        """As the relay's role, by TCP and password."""
        return self.cell.url("relay", self.name)

    def install(self, table, name, **more):
        """Schema and publication get the name."""
        run = subprocess.run(
            ["psql", "-Xq", "-d", self.cell.url("superuser", self.name),
             "-v", f"table={table}", "-v", "role=ch_relay",
             "-v", "operator=ch_operator",
             "-v", f"schema={name}", "-v", f"publication={name}",
             *(f"--set={key}={value}" for key, value in more.items()),
             "-f", str(INSTALL)], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        assert run.returncode == 0, run.stdout

    def login(self):
        """(host, port, password) of that role."""
        at = urllib.parse.urlparse(self.url())
        secret = self.cell.state / "secrets" / "ch_relay.pgpass"
        return (at.hostname, str(at.port),
                secret.read_text().strip().rsplit(":", 1)[-1])
