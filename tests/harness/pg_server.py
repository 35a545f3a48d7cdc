"""A copy of the cell's PostgreSQL, for what one must not do to the cell's own:
a standby, full disks, another clock. A child of the test; ends with it."""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
from urllib.parse import quote

import psycopg2

from .cell import Cell
from .ports import free_port
from .wait import until

BIN = pathlib.Path("/usr/lib/postgresql/15/bin")


class Server(Cell):
    """Databases, roles and passwords are the cell's, at the time of the copy.
    A standby streams from the cell, which may be another copy. env: what the server finds besides."""

    def __init__(self, cell, standby=False, waldir=None, env=None):
        # short: the socket's path must fit
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ch-pg-", dir="/tmp"))
        self.data = self.dir / "data"
        self.more = env or {}
        self.process = None
        self.secrets = self.dir / "secrets"
        self.secrets.mkdir(mode=0o700)
        self.port = free_port()
        self.env = dict(map(self.moved(cell), cell.env.items()))
        self.copy(cell, standby, waldir)

    def moved(self, cell):
        """Turns the cell's variables into this server's."""
        old = cell.env["PGPORT"]

        def move(item):
            name, value = item
            if name in ("PGHOST", "PGPORT"):
                return name, str(self.dir if name == "PGHOST" else self.port)
            if not name.endswith("_URL"):
                return item
            before, _, passfile = value.partition("passfile=")
            before = before.replace(quote(cell.env["PGHOST"]), str(self.dir))
            before = before.replace(f":{old}/", f":{self.port}/")
            before = before.replace(f"port={old}", f"port={self.port}")
            if passfile:
                line = open(passfile).read().replace(f":{old}:",
                                                     f":{self.port}:")
                mine = self.secrets / pathlib.Path(passfile).name
                mine.write_text(line)
                mine.chmod(0o600)
                return name, f"{before}passfile={mine}"
            return name, before
        return move

    def as_owner(self, *argv):
        """PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return [str(a) for a in argv]
        return ["setpriv", "--reuid", "postgres", "--regid", "postgres",
                "--init-groups", *map(str, argv)]

    @staticmethod
    def own(path):
        """Gives the path to whoever PostgreSQL runs as."""
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(path, user.pw_uid, user.pw_gid)

    def copy(self, cell, standby, waldir):
        self.own(self.dir)
        subprocess.run(
            self.as_owner(BIN / "pg_basebackup", "-h", cell.env["PGHOST"],
                          "-p", cell.env["PGPORT"], "-U", "postgres", "-D",
                          self.data, "-c", "fast", "-X", "stream", "--no-sync",
                          *(["-R"] if standby else []),
                          *([f"--waldir={waldir}"] if waldir else [])),
            check=True, cwd="/", stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)

    def start(self, wait=True):
        with (self.dir / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.as_owner(BIN / "postgres", "-D", self.data, "-c",
                              f"port={self.port}", "-c",
                              f"unix_socket_directories={self.dir}"),
                cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, env={**os.environ, **self.more})
        if wait:
            until(self.answers, 60, f"PostgreSQL answers, {self.logged()}")
        return self

    def answers(self):
        try:
            self.connect("superuser", "postgres").close()
            return True
        except psycopg2.OperationalError:
            assert self.running(), self.logged()
            return False

    def running(self):
        return self.process is not None and self.process.poll() is None

    def logged(self):
        return (self.dir / "log").read_text(errors="replace")[-3000:]

    def promote(self):
        with self.connect("superuser", "postgres").cursor() as cur:
            cur.execute("SELECT pg_promote()")
            assert cur.fetchone()[0]

    def crash(self):
        """At once; its files stay."""
        if self.running():
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(60)

    def stop(self):
        """At once, and nothing of it stays."""
        self.crash()
        shutil.rmtree(self.dir, ignore_errors=True)
