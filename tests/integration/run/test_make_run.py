"""`make run` as a user meets it: a run that ends by itself with a verdict, a
second run on the same books, Ctrl-C, and a checker that finds what was taken
away by hand. Uses a state directory of its own, never the user's .local/."""

import collections
import json
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import urllib.request

import psycopg2
import pytest

from harness.cell import LOCAL, OUT, ROOT
from harness.kafka import header, kcat_to_end
from harness.wait import until

RATE = "300"


def environment(state, **more):
    return {**os.environ, "CH_STATE": str(state), "DEMO_RATE": RATE,
            "BUILD": OUT.name, **more}


def run_fleet(state, seconds):
    return subprocess.run(
        [str(LOCAL / "run.sh")], cwd=ROOT, stdin=subprocess.DEVNULL,
        env=environment(state, SECONDS_TO_RUN=str(seconds)), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900)


def env_of(state):
    pairs = (line.partition("=") for line in
             (state / "env").read_text().splitlines())
    return {name: value.strip("'") for name, _, value in pairs}


def processes_of(state):
    """Command lines of living processes that name the state directory."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(
                errors="replace")
        except OSError:
            continue
        if str(state) in line and str(os.getpid()) != path.parent.name:
            found.append(line)
    return found


def check(state, *more):
    return subprocess.run(
        ["/usr/bin/python3", str(LOCAL / "checker.py"), "--state", str(state),
         *more], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=600)


@pytest.fixture(scope="module")
def state():
    path = pathlib.Path(tempfile.mkdtemp(prefix="ch-run-"))
    path.chmod(0o755)
    yield path
    subprocess.run([str(LOCAL / "down.sh"), "--clean"], env=environment(path),
                   check=False, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    shutil.rmtree(path, ignore_errors=True)


class Connections:
    """The most PostgreSQL connections that the five daemons held at once."""

    SQL = ("SELECT count(*) FROM pg_stat_activity WHERE usename IN "
           "('ch_writer', 'ch_relay', 'ch_reconciler', 'ch_cache')")

    def __init__(self, state):
        self.state = state
        self.most = 0
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        while not self.done.wait(0.1):
            try:
                with psycopg2.connect(
                        env_of(self.state)["SUPERUSER_URL"]) as db, \
                        db.cursor() as cur:
                    cur.execute(self.SQL)
                    self.most = max(self.most, cur.fetchone()[0])
                db.close()
            except (OSError, KeyError, psycopg2.Error):
                continue  # not up yet, or down again

    def stop(self):
        self.done.set()
        self.thread.join()
        return self.most


@pytest.fixture(scope="module")
def first(state):
    connections = Connections(state)
    try:
        run = run_fleet(state, 10)
    finally:
        run_most = connections.stop()
    run.most_connections = run_most
    return run


@pytest.fixture
def servers(first, state):
    """Kafka and PostgreSQL of the finished run, for looking at it again."""
    subprocess.run([str(LOCAL / "up.sh"), "--no-deps"],
                   env=environment(state), check=True,
                   stdout=subprocess.DEVNULL)
    yield env_of(state)
    subprocess.run([str(LOCAL / "down.sh")], env=environment(state),
                   check=True, stdout=subprocess.DEVNULL)


def test_a_run_ends_by_itself_with_a_verdict(first, state):
    assert first.returncode == 0, first.stdout[-4000:]
    summary = json.loads((state / "summary.json").read_text())
    assert summary["commands_in"] > 1500
    assert summary["results_out"] >= summary["commands_in"] \
        - summary["sent"]["malformed"]
    assert (summary["lost"], summary["doubled"]) == (0, 0)
    assert summary["balanced"] is True
    assert summary["events"] > 0
    assert summary["trades"] > 0
    assert summary["dead_letters"] >= summary["sent"]["malformed"] > 0
    assert summary["sent"]["duplicate"] > 0
    assert summary["records_read"] + summary["timers"] \
        - summary["unanswered"] \
        == summary["results_out"] - summary["redelivered"]
    assert f"= {summary['results_out'] - summary['redelivered']} out" \
        in first.stdout
    assert "balanced yes" in first.stdout and "paused no" in first.stdout
    assert "None" not in first.stdout
    until(lambda: processes_of(state) == [], 60, "no process is left")
    assert stat.S_IMODE((state / "secrets/console.tokens").stat().st_mode) \
        == 0o600


def test_a_healthy_fleet_raises_no_alarm(first, state, servers):
    db = psycopg2.connect(servers["OPERATOR_URL"])
    with db.cursor() as cur:
        cur.execute("SELECT name, subject, value, threshold FROM "
                    "ch.health('test') WHERE NOT ok")
        assert cur.fetchall() == []
    db.close()
    # nor while it ran; what a slow machine may bring about aside
    log = (state / "log/ledger-writer.log").read_text()
    assert "event=" in log
    assert [line for line in log.splitlines() if "event=health" in line
            and not re.search(r"check=(oldest_snapshot|lock_wait)", line)] == []


def test_the_env_file_is_no_daemons_parameter(first, state):
    logs = "".join(path.read_text() for path in (state / "log").glob("*.log"))
    assert "reconciler" in logs
    assert "config.unknown_variable" not in logs


def test_the_checker_says_how_far_it_is(servers, state):
    shown = check(state).stdout
    assert "records of ledger.results" in shown
    assert "books: a balance differs from its postings?" in shown


def test_the_fleet_holds_at_most_ten_connections(first):
    assert 4 <= first.most_connections <= 10


def test_a_second_run_keeps_the_books(first, state):
    before = json.loads((state / "summary.json").read_text())
    again = run_fleet(state, 6)
    assert again.returncode == 0, again.stdout[-4000:]
    after = json.loads((state / "summary.json").read_text())
    assert after["commands_in"] > before["commands_in"] + 300
    assert after["balanced"] is True
    assert after["statuses"]["account_exists"] > 0


def test_the_checker_finds_a_posting_that_was_deleted(servers, state):
    good = check(state)
    assert good.returncode == 0, good.stdout
    db = psycopg2.connect(servers["SUPERUSER_URL"])
    db.autocommit = True
    with db.cursor() as cur:
        cur.execute("SET search_path = ch")
        cur.execute("CREATE TABLE public.taken AS SELECT * FROM postings "
                    "ORDER BY batch DESC, pos DESC LIMIT 1")
        cur.execute("DELETE FROM postings p USING public.taken t WHERE "
                    "(p.batch, p.pos, p.leg) = (t.batch, t.pos, t.leg)")
        assert cur.rowcount == 1
        try:
            bad = check(state)
        finally:
            cur.execute("INSERT INTO postings SELECT * FROM public.taken")
            cur.execute("DROP TABLE public.taken")
    db.close()
    assert bad.returncode == 1
    assert "do not sum to zero" in bad.stdout
    assert check(state).returncode == 0


def row_id(line):
    """Of a record as kcat writes it."""
    return header(json.loads(line), "id")


def test_the_checker_finds_a_result_that_is_missing(servers, state, tmp_path):
    db = psycopg2.connect(servers["SUPERUSER_URL"])
    db.autocommit = True
    with db.cursor() as cur:
        cur.execute("SET search_path = ch")
        cur.execute("CREATE TABLE public.taken AS SELECT * FROM command_log "
                    "WHERE source = 'kafka' LIMIT 1")
        cur.execute("DELETE FROM command_log c USING public.taken t WHERE "
                    "(c.org_id, c.id, c.day) = (t.org_id, t.id, t.day)")
        try:
            from_books = check(state)
        finally:
            cur.execute("INSERT INTO command_log SELECT * FROM public.taken")
            cur.execute("DROP TABLE public.taken")
    db.close()
    assert from_books.returncode == 1
    assert "no outcome row" in from_books.stdout

    read = kcat_to_end(servers["BOOTSTRAP"], "ledger.results", "-J"
                       ).decode().splitlines(keepends=True)
    copy = tmp_path / "results"
    copy.write_text("".join(read))
    assert check(state, "--results", str(copy)).returncode == 0
    # one that was not delivered twice
    times = collections.Counter(map(row_id, read))
    at = next(i for i in range(100, len(read)) if times[row_id(read[i])] == 1)
    copy.write_text("".join(read[:at] + read[at + 1:]))
    from_topic = check(state, "--results", str(copy))
    assert from_topic.returncode == 1
    assert "is not on ledger.results" in from_topic.stdout


def test_a_wrong_number_of_seconds_is_refused():
    refused = subprocess.run(
        [str(LOCAL / "run.sh")], cwd=ROOT, text=True, stdin=subprocess.DEVNULL,
        env={**os.environ, "SECONDS_TO_RUN": "soon"}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
    assert refused.returncode == 1
    assert '"soon"' in refused.stdout and "SECONDS=60" in refused.stdout


def who_the_console_says(state):
    """Whom it takes the holder of the run's token for."""
    port = (state / "run" / "console.port").read_text().strip()
    token = (state / "secrets" / "console.tokens").read_text().strip()
    with urllib.request.urlopen(urllib.request.Request(
            f"http://127.0.0.1:{port}/api/v1/status", headers={
                "Authorization": "Bearer " + token.split(":")[1]}),
            timeout=60) as answer:
        return json.load(answer)["actor"]


# The last to use these books: what the producer had sent when the signal came,
# and nobody had read yet, is answered by the next run only.
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_it_started(first, state, number):
    run = subprocess.Popen(
        [str(LOCAL / "run.sh")], cwd=ROOT, env=environment(state), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True)
    lines = []
    for line in run.stdout:
        lines.append(line)
        if "balanced" in line:
            break
    assert who_the_console_says(state) == "operator"
    os.killpg(run.pid, number)
    rest, _ = run.communicate(timeout=300)
    assert run.returncode == 130, "".join(lines) + rest
    until(lambda: processes_of(state) == [], 60, "no process is left")
