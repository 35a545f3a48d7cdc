"""`BOOTSTRAP=… DATABASE_URL=… make run`: on the user's own Kafka and PostgreSQL,
with a plain role, its password in PGPASSFILE, and wal_level = replica, so that
the relay polls. Nothing of theirs is stopped."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import psycopg2
import pytest

from harness.cell import LOCAL, OUT, ROOT
from test_make_run import env_of


def script(state, name, *args):
    subprocess.run([str(LOCAL / name), *args], cwd=ROOT, check=True,
                   env={**os.environ, "CH_STATE": str(state)},
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


@pytest.fixture
def folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="ch-own-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def theirs(folder):
    """Servers that run.sh has not started."""
    state = folder / "theirs"
    state.mkdir()
    script(state, "kafka.sh", "start")
    script(state, "postgres.sh", "start")
    env = env_of(state)
    db = psycopg2.connect(env["SUPERUSER_URL"])
    db.autocommit = True
    with db.cursor() as cur:
        cur.execute("ALTER SYSTEM SET wal_level = replica")
        cur.execute("CREATE ROLE app LOGIN CREATEROLE PASSWORD 'apppassword1'")
        cur.execute("CREATE DATABASE shop OWNER app")
    db.close()
    script(state, "postgres.sh", "stop")
    script(state, "postgres.sh", "start")
    yield state, env
    script(state, "down.sh", "--clean")


def test_the_fleet_runs_on_the_users_own_servers(theirs, folder):
    state, env = theirs
    passfile = folder / "pgpass"
    passfile.write_text("127.0.0.1:*:*:app:apppassword1\n")
    passfile.chmod(0o600)
    mine = folder / "mine"
    run = subprocess.run(
        [str(LOCAL / "run.sh")], cwd=ROOT, stdin=subprocess.DEVNULL,
        env={**os.environ, "CH_STATE": str(mine), "SECONDS_TO_RUN": "6",
             "DEMO_RATE": "300", "BUILD": OUT.name,
             "BOOTSTRAP": env["BOOTSTRAP"], "PGPASSFILE": str(passfile),
             "DATABASE_URL":
                 f"postgresql://app@127.0.0.1:{env['PGPORT']}/shop"},
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=900)
    assert run.returncode == 0, run.stdout[-4000:]
    assert "apppassword1" not in run.stdout
    summary = json.loads((mine / "summary.json").read_text())
    assert summary["commands_in"] > 300 and summary["balanced"] is True
    for name in ("kafka.sh", "postgres.sh"):
        script(state, name, "alive")
    logged = (mine / "log" / "outbox-relay.log").read_text()
    assert "polling" in logged
