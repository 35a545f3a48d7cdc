#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The living fleet on one screen, refreshed each second.

Latency is measured here, from the records on ledger.results: the broker's
time of the answer less the time in the command's id. Rates, lag and health
come from the daemons' /metrics, balances and dead letters from SQL, prices
from price-cache over HTTP. It only looks; the verdict on a run is
checker.py's. Without a terminal it prints one line a second. NO_COLOR is
respected.

It is the fleet's supervisor too: a daemon that has ended (kill one, and see)
is started again, at most RESTARTS times each.

Usage: dashboard.py --state DIR [--seconds N]
Exit status: 0 at the end of the time, 130 when interrupted, 1 when a daemon
ends again and again.
"""

import argparse
import collections
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import psycopg2

DAEMONS = ("trade-stream", "ledger-writer", "outbox-relay", "reconciler",
           "price-cache")
RESTARTS = 20
WINDOW_S = 10  # latency over the last so many seconds
COLOURS = {"good": "32", "bad": "1;31", "warn": "33", "dim": "2", "head": "1"}


def environment(state):
    env = {}
    for line in (state / "env").read_text().splitlines():
        name, _, value = line.partition("=")
        env[name] = "".join(shlex.split(value))
    return env


class Answers:
    """Follows ledger.results from its end, in a thread of its own."""

    def __init__(self, bootstrap):
        self.lock = threading.Lock()
        self.waits = collections.deque()  # (seen at, ms)
        self.count = 0
        self.kcat = subprocess.Popen(
            ["kcat", "-C", "-b", bootstrap, "-t", "ledger.results", "-o",
             "end", "-q", "-u", "-J"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            start_new_session=True)
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        for line in self.kcat.stdout:
            try:
                record = json.loads(line)
                answer = json.loads(record["payload"])
                sent = int(answer["id"].replace("-", "")[:12], 16)
            except (ValueError, KeyError, TypeError):
                continue
            with self.lock:
                self.count += 1
                if not answer.get("duplicate") and \
                        answer["status"] != "key_reused":
                    self.waits.append((time.monotonic(), record["ts"] - sent))

    def percentiles(self):
        with self.lock:
            oldest = time.monotonic() - WINDOW_S
            while self.waits and self.waits[0][0] < oldest:
                self.waits.popleft()
            waits = sorted(ms for _, ms in self.waits)
        if not waits:
            return None, None
        return (waits[len(waits) // 2],
                waits[min(len(waits) - 1, int(len(waits) * 0.99))])

    def close(self):
        self.kcat.kill()
        self.kcat.wait()


def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=1.5) as answer:
            return answer.read().decode()
    except OSError:
        return ""


def metrics_of(state, name):
    """{series name: {labels text: value}} of one daemon; {} when it is away."""
    found = collections.defaultdict(dict)
    try:
        port = (state / "run" / f"{name}.admin").read_text().strip()
    except OSError:
        return found
    for line in fetch(f"http://127.0.0.1:{port}/metrics").splitlines():
        if line and not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            name_only, _, labels = series.partition("{")
            found[name_only][labels.rstrip("}")] = float(value)
    return found


def total(metrics, name, part=""):
    return sum(v for labels, v in metrics[name].items() if part in labels)


def by_label(metrics, name, part=""):
    return [int(v) for labels, v in sorted(metrics[name].items())
            if part in labels]


QUERIES = {
    "letters": """SELECT count(*), coalesce(extract(epoch FROM now() -
        min(at)), 0)::int8 FROM letters
        WHERE state IN ('pending', 'quarantined')""",
    "breaks": "SELECT count(*) FROM breaks WHERE state = 'open'",
    "pauses": "SELECT coalesce(string_agg(scope, ', '), '') FROM pauses",
    "house": """SELECT b.balance::numeric / 1000000, b.version FROM balances b
        JOIN accounts a USING (org_id, account_id)
        JOIN orgs o USING (org_id)
        WHERE o.name = 'market' AND a.name = 'house'""",
    "console": """SELECT st.on_hand, st.reserved, st.version FROM stock st
        JOIN skus s USING (org_id, sku_id) JOIN orgs o USING (org_id)
        WHERE o.name = 'shop' AND s.name = 'console'""",
    "markets": """SELECT DISTINCT condition_id FROM (SELECT condition_id
        FROM trades_public ORDER BY batch DESC LIMIT 200) t LIMIT 3""",
}


class Books:
    """The few facts that SQL gives; None where it does not answer."""

    def __init__(self, url):
        self.url = url
        self.db = None

    def read(self):
        try:
            if self.db is None:
                self.db = psycopg2.connect(
                    self.url, options="-c search_path=ch "
                    "-c statement_timeout=2000", connect_timeout=2)
                self.db.autocommit = True
            with self.db.cursor() as cur:
                facts = {}
                for name, sql in QUERIES.items():
                    cur.execute(sql)
                    facts[name] = cur.fetchall()
                return facts
        except psycopg2.Error:
            self.db = None
            return {}


class Fleet:
    """One look at everything; rates against the look before."""

    def __init__(self, state):
        self.state = state
        env = environment(state)
        self.answers = Answers(env["BOOTSTRAP"])
        self.books = Books(env["DATABASE_URL"])
        self.bootstrap = env["BOOTSTRAP"]
        self.before = {}
        self.restarts = collections.Counter()
        self.began = time.monotonic()

    def rate(self, name, value):
        now = time.monotonic()
        then, old = self.before.get(name, (now, value))
        self.before[name] = (now, value)
        return max(0.0, value - old) / (now - then) if now > then else 0.0

    def place(self, name):
        """Where a service that keeps its port listens; None: nowhere."""
        try:
            port = (self.state / "run" / f"{name}.port").read_text()
        except OSError:
            return None
        return f"http://127.0.0.1:{port.strip()}/"

    def prices(self, markets):
        cache = self.place("price-cache")
        ids = ",".join(m for (m,) in markets)
        if not cache or not ids:
            return []
        try:
            told = json.loads(fetch(f"{cache}v1/prices?ids={ids}") or "{}")
        except ValueError:
            return []
        return told.get("prices") or []

    def look(self):
        seen = {name: metrics_of(self.state, name) for name in DAEMONS}
        writer, relay = seen["ledger-writer"], seen["outbox-relay"]
        stream, judge = seen["trade-stream"], seen["reconciler"]
        sql = self.books.read()
        p50, p99 = self.answers.percentiles()
        commands = total(writer, "ledger_records_total", "commands")
        trades = total(stream, "trade_stream_trades_published_total")
        last = max(stream["trade_stream_last_row_timestamp_seconds"].values(),
                   default=0)
        checked = min(
            judge["reconciler_last_success_timestamp_seconds"].values(),
            default=0)
        batches = total(writer, "ledger_batch_records_count")
        records = total(writer, "ledger_batch_records_sum")
        now = time.time()
        return {
            "up": int(time.monotonic() - self.began),
            "missing": [n for n in DAEMONS if not seen[n]],
            "in_rate": self.rate("in", commands), "in": int(commands),
            "out_rate": self.rate("out", self.answers.count),
            "out": self.answers.count,
            "p50": p50, "p99": p99,
            "restarts": dict(self.restarts),
            "owned": int(total(writer, "ledger_partitions_owned")),
            "lag": by_label(writer, "ledger_lag_records", "ledger.commands"),
            "trade_lag": by_label(writer, "ledger_lag_records",
                                  "market.trades"),
            "relay_waiting": int(total(relay, "relay_in_flight_rows")),
            "relay_age": total(relay, "relay_oldest_undelivered_seconds"),
            "batch": self.rate("records", records) /
                     max(self.rate("batches", batches), 1e-9),
            "answers": writer["ledger_results_total"],
            "trade_rate": self.rate("trades", trades), "trades": int(trades),
            "feed_age": now - last if last else None,
            "breaks": (sql.get("breaks") or [(None,)])[0][0],
            "checked_age": now - checked if checked else None,
            "paused": (sql.get("pauses") or [(None,)])[0][0],
            "letters": (sql.get("letters") or [(None, 0)])[0],
            "desk": self.place("console") or "outbox-relay dlq list",
            "house": (sql.get("house") or [None])[0],
            "console": (sql.get("console") or [None])[0],
            "prices": self.prices(sql.get("markets") or []),
        }


def ms(value):
    return "-" if value is None else f"{value} ms"


def age(value):
    return "unknown" if value is None else f"{value:.1f} s"


def ago(value):
    return "unknown when" if value is None else f"{age(value)} ago"


def number(value):
    """A count that SQL gave, or did not."""
    return "unknown" if value is None else str(value)


def paused(seen):
    """The scopes that are paused (trading: everybody)."""
    return "unknown" if seen["paused"] is None else seen["paused"] or "no"


def balanced(seen):
    """yes, no, or unknown while nobody has checked lately."""
    if seen["breaks"] is None or seen["checked_age"] is None \
            or seen["checked_age"] > 15:
        return "unknown"
    return "yes" if seen["breaks"] == 0 else "NO"


def lag(seen):
    """Unknown is not zero: a writer that owns nothing has no lag to show."""
    return str(sum(seen["lag"])) if seen["owned"] and seen["lag"] else "unknown"


def line(seen):
    """Everything that matters in one line, for logs."""
    restarts = "".join(f" restarted {name} {n}"
                       for name, n in seen["restarts"].items())
    return (f"{seen['up']:>5}s in {seen['in_rate']:.0f}/s "
            f"out {seen['out_rate']:.0f}/s p50 {ms(seen['p50'])} "
            f"p99 {ms(seen['p99'])} lag {lag(seen)} "
            f"balanced {balanced(seen)} breaks {number(seen['breaks'])} "
            f"paused {paused(seen)} "
            f"dead_letters {number(seen['letters'][0])} "
            f"feed_age {age(seen['feed_age'])} "
            f"trades {seen['trade_rate']:.0f}/s prices {len(seen['prices'])}"
            f"{restarts}")


class Screen:
    """Plain ANSI: one frame, written at once."""

    def __init__(self):
        self.colour = "NO_COLOR" not in os.environ
        sys.stdout.write("\x1b[?1049h\x1b[?25l")

    def paint(self, text, colour):
        if not self.colour:
            return text
        return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m"

    def label(self, name):
        return self.paint(f"  {name:<13}", "dim")

    def close(self):
        sys.stdout.write("\x1b[?25h\x1b[?1049l")
        sys.stdout.flush()

    def books(self, seen):
        word = balanced(seen)
        colour = {"yes": "good", "NO": "bad"}.get(word, "warn")
        text = self.paint(f"balanced: {word}", colour)
        text += f"   breaks {number(seen['breaks'])}   " \
            f"checked {ago(seen['checked_age'])}"
        word = paused(seen)
        if word == "no":
            return text + "   not paused"
        colour = "warn" if word == "unknown" else "bad"
        return text + "   " + self.paint(f"PAUSED: {word}", colour)

    def answers(self, seen, room):
        """The commonest ones, as many as fit."""
        shares = {k.split('"')[1]: v for k, v in seen["answers"].items() if v}
        whole = sum(shares.values()) or 1
        text = ""
        for name, n in sorted(shares.items(), key=lambda kv: -kv[1]):
            more = f"{name} {100 * n / whole:.1f}%  "
            if len(text) + len(more) > room:
                break
            text += more
        return text

    def price_lines(self, seen, room):
        lines = []
        for price in seen["prices"][:room]:
            who = (price.get("id") or price.get("condition_id") or "?")[:18]
            pairs = zip(price.get("outcomes") or [], price.get("prices") or [])
            text = "  ".join(f"{o} {p}" for o, p in pairs)
            lines.append(f"{who}…  {text}  "
                         + self.paint(str(price.get("status", "")), "dim"))
        return lines or ["-"]

    def lines(self, seen, width, height):
        letters, oldest = seen["letters"]
        house, console = seen["house"], seen["console"]
        yield self.paint("countinghouse", "head") + \
            f"   up {seen['up'] // 60:02d}:{seen['up'] % 60:02d}" + \
            self.paint("   Ctrl-C stops everything that was started here", "dim")
        yield ""
        yield self.label("commands") + f"in {seen['in_rate']:7,.0f}/s   " \
            f"{seen['in']:>11,} read"
        yield self.label("results") + f"out {seen['out_rate']:6,.0f}/s   " \
            f"{seen['out']:>11,} since this screen"
        yield self.label("latency") + f"p50 {ms(seen['p50'])}   " \
            f"p99 {ms(seen['p99'])}   command to result, last {WINDOW_S} s"
        yield self.label("lag") + "commands " + \
            (" ".join(map(str, seen["lag"])) or "unknown") + "   trades " + \
            (" ".join(map(str, seen["trade_lag"])) or "unknown") + \
            f"   relay {seen['relay_waiting']} rows, {seen['relay_age']:.1f} s"
        yield self.label("batch") + f"{seen['batch']:.0f} records in a transaction"
        yield ""
        yield self.label("books") + self.books(seen)
        yield self.label("answers") + self.answers(seen, width - 15)
        if house:
            yield self.label("hot account") + \
                f"market/house {house[0]:,.2f} USDC, version {house[1]:,}"
        if console:
            yield self.label("hot SKU") + f"shop/console on hand " \
                f"{console[0]:,}, reserved {console[1]:,}, version {console[2]:,}"
        yield ""
        yield self.label("dead letters") + self.paint(
            f"{number(letters)} waiting", "good" if letters == 0 else "warn") + \
            (f", oldest {oldest} s   {seen['desk']}" if letters else "")
        yield self.label("feed") + f"last trade {ago(seen['feed_age'])}   " \
            f"{seen['trade_rate']:.0f} trades/s   {seen['trades']:,} published"
        for i, text in enumerate(self.price_lines(seen, height - 18)):
            yield self.label("prices" if i == 0 else "") + text
        if seen["restarts"]:
            yield self.paint("  started again: " + ", ".join(
                f"{k} {v}" for k, v in seen["restarts"].items()), "warn")
        if seen["missing"]:
            yield self.paint("  not answering: " + ", ".join(seen["missing"]),
                             "bad")

    def draw(self, seen):
        width, height = shutil.get_terminal_size()
        shown = list(self.lines(seen, width, height))[:height - 1]
        frame = "".join(f"\x1b[{at + 1};1H{text}\x1b[K"
                        for at, text in enumerate(shown))
        sys.stdout.write(frame + "\x1b[J")
        sys.stdout.flush()


class Interrupted(Exception):
    """SIGINT or SIGTERM."""


def on_signal(*_):
    raise Interrupted


def ended(state):
    """Daemons whose process is gone."""
    gone = []
    for name in DAEMONS:
        try:
            os.kill(int((state / "run" / f"{name}.pid").read_text()), 0)
        except (OSError, ValueError):
            gone.append(name)
    return gone


def start_again(fleet, name):
    """Starts an ended daemon; false when it ends again and again."""
    fleet.restarts[name] += 1
    if fleet.restarts[name] > RESTARTS:
        return False
    script = pathlib.Path(__file__).resolve().parent / "fleet.sh"
    subprocess.run([str(script), "start-one", name], check=False,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL,
                   env={**os.environ, "CH_STATE": str(fleet.state)})
    return True


def watch(fleet, screen, seconds):
    until = time.monotonic() + seconds if seconds else None
    turn = time.monotonic()
    fleet.look()
    while until is None or time.monotonic() < until:
        turn += 1
        time.sleep(max(0.0, turn - time.monotonic()))
        seen = fleet.look()
        gone = [name for name in ended(fleet.state)
                if not start_again(fleet, name)]
        if gone:
            return gone
        if screen:
            screen.draw(seen)
        else:
            print(line(seen), flush=True)
    return []


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--state", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=int, default=0)
    args = parser.parse_args()
    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    fleet = Fleet(args.state)
    screen = Screen() if sys.stdout.isatty() else None
    gone = []
    try:
        gone = watch(fleet, screen, args.seconds)
    except Interrupted:
        sys.exit(130)
    finally:
        fleet.answers.close()
        if screen:
            screen.close()
    for name in gone:
        print(f"{name} has ended: see {args.state}/log/{name}.log",
              file=sys.stderr)
    sys.exit(1 if gone else 0)


if __name__ == "__main__":
    main()
