#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How much is on its way: prints one number, 0 when the fleet is drained.

Records of the consumed topics that the writer has not taken, plus rows that
the relay has not delivered (log_seq per stream, and the outbox against its
stored snapshot). From Kafka's offsets and PostgreSQL's tables; what a daemon
says of itself is not asked.

Usage: pending.py --state DIR [--records] [-v]
--records counts only what the writer has not taken: its timers add rows all the
time while it runs.
"""

import argparse
import pathlib
import re
import shlex
import subprocess
import sys

import psycopg2

UNDELIVERED = """
    WITH delivered AS (
        SELECT s.stream, s.log_seq FROM relay_progress,
            unnest(streams, log_seqs) AS s (stream, log_seq))
    SELECT coalesce(sum(greatest(0,
            c.next_log_seq - 1 - coalesce(d.log_seq, 0))), 0)::int8
    FROM consumer_partitions c LEFT JOIN delivered d USING (stream)"""
UNSEEN = """
    SELECT count(*) FROM outbox o WHERE NOT EXISTS (
        SELECT FROM relay_progress r
        WHERE pg_visible_in_snapshot(o.xid, r.snapshot))"""


def environment(state):
    env = {}
    for line in (state / "env").read_text().splitlines():
        name, _, value = line.partition("=")
        env[name] = "".join(shlex.split(value))
    return env


def ends(bootstrap, parts):
    """The end offset of each (topic, partition)."""
    asked = [word for topic, part in parts
             for word in ("-t", f"{topic}:{part}:-1")]
    run = subprocess.run(["kcat", "-Q", "-b", bootstrap, *asked],
                         capture_output=True, text=True, timeout=30,
                         check=True)
    found = {}
    for line in run.stdout.splitlines():
        match = re.match(r"(\S+) \[(\d+)\] offset (-?\d+)", line)
        if match:
            found[match[1], int(match[2])] = int(match[3])
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--state", type=pathlib.Path, required=True)
    parser.add_argument("--records", action="store_true",
                        help="only records that the writer has not taken")
    parser.add_argument("-v", action="store_true", help="say what is pending")
    args = parser.parse_args()
    env = environment(args.state)
    with psycopg2.connect(env["DATABASE_URL"]) as db, db.cursor() as cur:
        cur.execute("SET search_path = ch")
        cur.execute("SELECT topic, part, next_offset FROM consumer_partitions")
        taken = {(t, p): offset for t, p, offset in cur.fetchall()}
        cur.execute(UNDELIVERED)
        rows = cur.fetchone()[0]
        cur.execute(UNSEEN)
        events = cur.fetchone()[0]
    if not taken:
        print(1)  # nothing was ever read: not drained
        return
    end = ends(env["BOOTSTRAP"], list(taken))
    records = sum(max(0, end.get(at, 0) - offset)
                  for at, offset in taken.items())
    if args.v:
        print(f"records {records}, rows {rows}, events {events}",
              file=sys.stderr)
    print(records if args.records else records + rows + events)


if __name__ == "__main__":
    main()
