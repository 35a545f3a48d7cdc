#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the books against what was sent, without asking any daemon.

Three witnesses, none of them ours: the producer's own files of what Kafka
acknowledged (demo/sent-*.ndjson), the topics read again from offset 0 by kcat,
and PostgreSQL by plain SQL. Never a daemon's counter, never the reconciler's
views. What is checked, and how each fault counts:

  lost     a sent record without an outcome row at its topic, partition and
           offset; an outcome row (command_log, answers, rejected) or an event
           without its record in Kafka
  doubled  a record with more than one outcome; a fresh id with more than one
           answer that is not marked as a duplicate; one row (by header `id`)
           with two different contents; a record that no row stands for
  books    postings of a command that do not sum to zero per asset, or are not
           as many as it makes, whatever its type; balances, stock, reversals
           or reservations that differ from what the log says; a floor broken;
           a gap in log_seq

A repeated row id with the same content is a re-delivery: allowed, counted. An
id whose first answer was a refusal for now (trading_paused, rate_limited) was
not taken: whatever came of its repetitions is right, as long as it was applied
or refused by the books at most once. Timers (expiries, market.pay) give answers
that nobody asked for. The fleet must be drained (pending.py prints 0): records
that are on their way count as lost. All runs over the same books are checked together. Records must still be in
Kafka (ledger.results keeps 7 days): older books need a check of their own.

Usage: checker.py --state DIR [--bootstrap B] [--database-url U]
                  [--summary FILE] [--results FILE]
--results reads kcat's JSON lines of ledger.results from a file instead.
Exit status: 0 nothing lost or doubled and the books balance, 1 not so.
"""

import argparse
import collections
import json
import pathlib
import shlex
import subprocess
import sys
import time

import psycopg2

COMMANDS = "ledger.commands"
RESULTS = "ledger.results"
TRADES = "market.trades"
FOR_NOW = ("trading_paused", "rate_limited")  # do not take the id
SHOWN = 5  # examples of each fault in the summary


class Progress:
    """Says on stderr what is looked at, and every two seconds how far it is."""

    def __init__(self):
        self.began = self.told = time.monotonic()

    def say(self, text):
        self.told = time.monotonic()
        print(f"  checker [{self.told - self.began:6.1f} s] {text}",
              file=sys.stderr, flush=True)

    def count(self, items, what):
        """The items, told while they pass by."""
        self.say(what)
        for n, item in enumerate(items):
            if time.monotonic() - self.told > 2:
                self.say(f"{what}: {n}")
            yield item


class Faults:
    """Faults by class, with a few examples of each."""

    def __init__(self):
        self.count = collections.Counter()
        self.examples = collections.defaultdict(list)

    def add(self, kind, text, times=1):
        self.count[kind] += times
        if len(self.examples[kind]) < SHOWN:
            self.examples[kind].append(text)


def read_topic(bootstrap, topic, config):
    """All records of a topic as kcat's JSON, streamed."""
    kcat = subprocess.Popen(
        ["kcat", "-C", "-b", bootstrap, "-t", topic, "-o", "beginning", "-e",
         "-q", "-J", "-X", "isolation.level=read_committed", *config],
        stdout=subprocess.PIPE, text=True)
    for line in kcat.stdout:
        yield json.loads(line)
    if kcat.wait() != 0:
        raise SystemExit(f"checker: kcat could not read {topic}: status "
                         f"{kcat.returncode}; is the broker up?")


def header(record, name):
    pairs = record.get("headers") or []
    for at in range(0, len(pairs) - 1, 2):
        if pairs[at] == name:
            return pairs[at + 1]
    return None


def rows(db, sql, *args):
    with db.cursor() as cur:
        cur.execute(sql, args)
        yield from cur


def one(db, sql, *args):
    return next(rows(db, sql, *args))[0]


# --- what was sent ----------------------------------------------------------


def read_sent(state):
    """The sent records by (partition, offset), and the newest file's begin."""
    sent, newest = {}, 0
    for path in sorted((state / "demo").glob("sent-*.ndjson")):
        first = None
        with path.open() as lines:
            for line in lines:
                if not line.endswith("\n"):
                    continue  # cut by a kill: not a promise
                record = json.loads(line)
                first = first or record["ms"]
                sent[record["partition"], record["offset"]] = record
        newest = max(newest, first or 0)
    return sent, newest


# --- records against outcome rows -------------------------------------------


def streams_of(db):
    return {stream: (topic, part) for stream, topic, part in
            rows(db, "SELECT stream, topic, part FROM consumer_partitions")}


def check_outcomes(db, sent, streams, faults):
    """Each sent record has its outcome, exactly one, where it was read."""
    outcome = collections.defaultdict(list)
    for source, sql in (
            ("log", "SELECT stream, src_offset, status FROM command_log "
                    "WHERE source = 'kafka'"),
            ("answer", "SELECT stream, src_offset, status FROM answers"),
            ("rejected", "SELECT stream, src_offset, error_class "
                         "FROM rejected")):
        for stream, offset, status in rows(db, sql):
            topic, part = streams[stream]
            if topic == COMMANDS:
                outcome[part, offset].append((source, status))
    untaken = {record["id"] for at, record in sent.items()
               if any(status in FOR_NOW for _, status in outcome.get(at, []))}
    for at, record in sent.items():
        judge(at, record, outcome.get(at, []), untaken, faults)
    return untaken


def judge(at, record, found, untaken, faults):
    kinds = sorted(source for source, _ in found)
    what = f"{record['kind']} {record['id'] or at} at {at}"
    if not found:
        faults.add("lost", f"{what}: no outcome row")
    elif record["kind"] == "malformed":
        # the letter, and an answer where an id could be read
        if kinds not in (["rejected"], ["answer", "rejected"]):
            faults.add("doubled", f"{what}: outcomes {found}")
    elif len(found) > 1:
        faults.add("doubled", f"{what}: outcomes {found}")
    elif record["id"] in untaken:
        return  # check_results() sees that it took effect at most once
    elif record["kind"] == "duplicate" and found[0] != ("answer", "duplicate"):
        faults.add("doubled", f"{what}: answered {found[0]}")
    elif record["kind"] == "key_reused" and found[0] != ("answer",
                                                         "key_reused"):
        faults.add("doubled", f"{what}: answered {found[0]}")
    elif record["kind"] == "fresh" and kinds == ["rejected"]:
        faults.add("lost", f"{what}: rejected as {found[0][1]}")


# --- outcome rows against records on ledger.results -------------------------


def check_results(db, records, sent, untaken, newest, faults):
    """Each row of command_log and answers is on ledger.results, as stored."""
    stored = {}
    for stream, seq, result in rows(
            db, "SELECT stream, log_seq, result FROM command_log UNION ALL "
                "SELECT stream, log_seq, result FROM answers"):
        stored[f"{stream}-{seq}"] = result
    sent_ms = {r["id"]: r["ms"] for r in sent.values()
               if r["kind"] == "fresh" and r["ms"] >= newest}
    seen, answers, waits = {}, collections.Counter(), []
    repeated = read = 0
    for record in records:
        read += 1
        # <stream>-<log_seq>-<digest of the value>
        row = header(record, "id").rpartition("-")[0]
        value = record.get("payload")
        if row in seen:
            repeated += 1
            if seen[row] != hash(value):
                faults.add("doubled", f"row {row} has two contents")
            continue
        seen[row] = hash(value)
        if row not in stored:
            faults.add("doubled", f"row {row} is in Kafka, not in the books")
            continue
        if stored[row] != value:
            faults.add("doubled", f"row {row} differs from the stored result")
        answer = json.loads(value)
        if not answer.get("duplicate") and not answer.get("dry_run") \
                and answer["status"] not in ("key_reused", "invalid",
                                             *FOR_NOW):
            answers[answer["id"]] += 1
            if answer["id"] in sent_ms:
                waits.append(record["ts"] - sent_ms[answer["id"]])
    for row in stored.keys() - seen.keys():
        faults.add("lost", f"row {row} is not on {RESULTS}")
    for record in sent.values():
        least = 0 if record["id"] in untaken else 1
        if record["kind"] == "fresh" \
                and not least <= answers[record["id"]] <= 1:
            faults.add("doubled" if answers[record["id"]] else "lost",
                       f"{record['id']}: {answers[record['id']]} answers")
    return {"results_out": read, "redelivered": repeated, "waits": sorted(waits)}


def check_events(db, records, faults):
    """Each stock event of the outbox is on its topic, by its id."""
    stored = {str(i) for (i,) in rows(
        db, "SELECT id FROM outbox WHERE aggregatetype = 'stock'")}
    seen = {header(record, "id") for record in records}
    for missing in stored - seen:
        faults.add("lost", f"event {missing} is not on outbox.event.stock")
    for extra in seen - stored:
        faults.add("doubled", f"event {extra} is no row of the outbox")
    expected = one(db, STOCK_EVENTS)
    if expected != len(stored):
        faults.add("books", f"{expected} applied changes of stock, "
                            f"{len(stored)} events")
    return len(stored)


def check_letters(db, source, records, faults):
    """Each rejected record is in its topic's dead-letter queue."""
    seen = {header(record, "ch_letter_id") for record in records}
    letters = 0
    for letter, topic, part, offset in rows(
            db, "SELECT letter_id, topic, part, src_offset FROM rejected "
                "WHERE topic = %s", source):
        letters += 1
        if str(letter) not in seen:
            faults.add("lost", f"rejected {topic}-{part}@{offset} is not in "
                               f"{topic}.dlq")
    return letters


# --- the books --------------------------------------------------------------


def did(*types):
    """Common table `did`: what was applied of these types, each member of a
    group by itself (member: its place from 0, or -1)."""
    wanted = ", ".join(f"'{t}'" for t in types)
    return f"""
        alone AS (SELECT org_id, id, batch, pos, -1 AS member, type,
                convert_from(command, 'UTF8')::jsonb AS c
            FROM command_log WHERE status = 'applied' AND source = 'kafka'
                AND type IN ('group', {wanted})),
        did AS (SELECT * FROM alone WHERE type <> 'group' UNION ALL
            SELECT org_id, id, batch, pos, m.place - 1, m.c ->> 'type', m.c
            FROM alone, jsonb_array_elements(alone.c -> 'commands')
                WITH ORDINALITY AS m (c, place)
            WHERE type = 'group' AND m.c ->> 'type' IN ({wanted}))"""


STOCK_EVENTS = f"""
    WITH {did("stock.receive", "stock.adjust", "stock.reserve",
              "reservation.commit", "reservation.release")}
    SELECT (SELECT count(*) FROM did) + (SELECT count(*) FROM command_log
        WHERE source = 'timer' AND type = 'reservation.expire')"""

# Two postings a move, a capture, a skim of a trade's first report, a holder
# who is paid something; a reversal has as many as what it reverses.
POSTINGS = f"""
    WITH {did("transfer.post", "hold.capture", "trade.record")},
    recorded AS (SELECT DISTINCT ON (org_id, c ->> 'tx') org_id, id, c
        FROM did WHERE type = 'trade.record'
        ORDER BY org_id, c ->> 'tx', batch, pos, member),
    pairs AS (
        SELECT org_id, id, jsonb_array_length(c -> 'moves') AS n
        FROM did WHERE type = 'transfer.post'
        UNION ALL SELECT org_id, id, 1 FROM did WHERE type = 'hold.capture'
        UNION ALL SELECT org_id, id, 1 FROM recorded WHERE c ? 'skim'
        UNION ALL SELECT r.org_id, r.reversed_by,
            jsonb_array_length(d.c -> 'moves')
        FROM reversals r JOIN did d ON d.type = 'transfer.post' AND
            (d.org_id, d.id, d.member) = (r.org_id, r.transfer_id, r.member)
        UNION ALL SELECT org_id, id, 1 FROM command_log,
            jsonb_array_elements(result::jsonb -> 'positions') AS holder
        WHERE type = 'market.pay' AND source = 'timer'
            AND (holder ->> 'paid')::numeric > 0),
    asked AS (SELECT org_id, id AS command_id, 2 * sum(n) AS n
        FROM pairs GROUP BY 1, 2),
    posted AS (SELECT org_id, command_id, count(*) AS n
        FROM postings GROUP BY 1, 2)
    SELECT org_id, command_id, asked.n, posted.n
    FROM asked FULL JOIN posted USING (org_id, command_id)
    WHERE asked.n IS DISTINCT FROM posted.n"""

REVERSALS = f"""
    WITH {did("transfer.reverse")},
    asked AS (SELECT org_id, id, count(*) AS n FROM did GROUP BY 1, 2),
    kept AS (SELECT org_id, reversed_by AS id, count(*) AS n
        FROM reversals GROUP BY 1, 2)
    SELECT org_id, id, asked.n, kept.n
    FROM asked FULL JOIN kept USING (org_id, id)
    WHERE asked.n IS DISTINCT FROM kept.n"""

STOCK = f"""
    WITH {did("stock.receive", "stock.adjust")},
    moved AS (SELECT org_id, c ->> 'sku' AS name,
            sum(coalesce(c ->> 'qty', c ->> 'delta')::numeric) AS n
        FROM did GROUP BY 1, 2),
    taken AS (SELECT org_id, sku_id, sum(committed_qty) AS n
        FROM reservations GROUP BY 1, 2)
    SELECT org_id, s.name, st.on_hand, m.n, t.n
    FROM skus s JOIN stock st USING (org_id, sku_id)
    LEFT JOIN moved m USING (org_id, name)
    LEFT JOIN taken t USING (org_id, sku_id)
    WHERE st.on_hand <> coalesce(m.n, 0) - coalesce(t.n, 0)"""

BOOKS = {
    "postings of one command do not sum to zero": """
        SELECT p.org_id, a.asset, p.batch, p.pos, sum(p.amount)
        FROM postings p JOIN accounts a USING (org_id, account_id)
        GROUP BY 1, 2, 3, 4 HAVING sum(p.amount) <> 0""",
    "postings are not those of what was applied": POSTINGS,
    "reversals are not those that were applied": REVERSALS,
    "a balance differs from its postings": """
        SELECT b.org_id, b.account_id, b.shard, b.balance,
            coalesce(sum(p.amount), 0)
        FROM balances b LEFT JOIN postings p USING (org_id, account_id, shard)
        GROUP BY 1, 2, 3, 4 HAVING b.balance <> coalesce(sum(p.amount), 0)""",
    "a posting has no balance": """
        SELECT DISTINCT org_id, account_id, shard FROM postings
        EXCEPT SELECT org_id, account_id, shard FROM balances""",
    "balance_after does not run through": """
        SELECT org_id, account_id, batch, pos, leg, balance_after, running
        FROM (SELECT *, sum(amount) OVER (PARTITION BY org_id, account_id,
            shard ORDER BY batch, pos, leg) AS running FROM postings) AS p
        WHERE balance_after <> running""",
    "an account is under its floor": """
        SELECT org_id, account_id, balance, held, floor FROM balances
        WHERE balance - held < floor""",
    "stock differs from the log": STOCK,
    "reserved differs from the open reservations": """
        SELECT org_id, sku_id, s.reserved, coalesce(sum(r.qty), 0)
        FROM stock s LEFT JOIN (SELECT * FROM reservations
            WHERE state = 'reserved') AS r USING (org_id, sku_id)
        GROUP BY 1, 2, 3 HAVING s.reserved <> coalesce(sum(r.qty), 0)""",
    "log_seq has a gap": """
        WITH numbered AS (SELECT stream, log_seq FROM command_log
            UNION ALL SELECT stream, log_seq FROM answers
            UNION ALL SELECT stream, log_seq FROM rejected)
        SELECT stream, count(n.log_seq), c.next_log_seq - 1
        FROM consumer_partitions c LEFT JOIN numbered n USING (stream)
        GROUP BY stream, c.next_log_seq
        HAVING count(n.log_seq) <> c.next_log_seq - 1
            OR count(DISTINCT n.log_seq) <> c.next_log_seq - 1
            OR max(n.log_seq) <> c.next_log_seq - 1""",
}


def check_books(db, faults, say=lambda text: None):
    for name, sql in BOOKS.items():
        say(f"books: {name}?")
        for row in rows(db, sql):
            faults.add("books", f"{name}: {row}")


def check_trades(db, records, faults):
    """One row in trades_public for each distinct record of market.trades that
    was not rejected, and no row without a record."""
    refused = set(rows(db, "SELECT part, src_offset FROM rejected "
                           "WHERE topic = %s", TRADES))
    kept = {bytes(i).hex() for (i,) in
            rows(db, "SELECT trade_id FROM trades_public")}
    published = set()
    for record in records:
        at = record["partition"], record["offset"]
        if at in refused:
            continue
        try:
            trade = json.loads(record["payload"])["trade_id"]
        except (ValueError, KeyError, TypeError):
            faults.add("lost", f"{TRADES} {at}: unreadable, not rejected")
            continue
        published.add(trade)
        if trade not in kept:
            faults.add("lost", f"{TRADES} {at}: trade {trade} has no row")
    for trade in kept - published:
        faults.add("doubled", f"trade {trade} has a row and no record")
    return len(kept)


# --- all of it --------------------------------------------------------------


def percentile(waits, share):
    return waits[min(len(waits) - 1, int(len(waits) * share))] if waits else None


def statuses(db):
    return dict(rows(db, "SELECT status, sum(n)::int8 FROM ("
                         "SELECT status, count(*) AS n FROM command_log "
                         "GROUP BY 1 UNION ALL SELECT status, count(*) "
                         "FROM answers GROUP BY 1) AS s GROUP BY 1 "
                         "ORDER BY 2 DESC"))


# Records with an outcome, and those of them whose only outcome is a letter.
READ = f"""
    WITH outcome AS (SELECT stream, src_offset, true AS answered
            FROM command_log WHERE source = 'kafka'
        UNION ALL SELECT stream, src_offset, true FROM answers
        UNION ALL SELECT stream, src_offset, false FROM rejected),
    record AS (SELECT stream, src_offset, bool_or(answered) AS answered
        FROM outcome JOIN consumer_partitions USING (stream)
        WHERE topic <> '{TRADES}' GROUP BY 1, 2)
    SELECT count(*), count(*) FILTER (WHERE NOT answered) FROM record"""


def check_all(args, db, sent, newest, faults):
    """Every check in turn; what was counted on the way."""
    progress = Progress()
    config = shlex.split(args.kcat)

    def topic(name):
        return progress.count(read_topic(args.bootstrap, name, config),
                              f"records of {name}")

    progress.say(f"outcomes of {len(sent)} commands")
    untaken = check_outcomes(db, sent, streams_of(db), faults)
    if args.results:
        results = map(json.loads, args.results.open())
    else:
        results = topic(RESULTS)
    told = check_results(db, results, sent, untaken, newest, faults)
    told["events"] = check_events(db, topic("outbox.event.stock"), faults)
    told["dead_letters"] = sum(
        check_letters(db, source, topic(source + ".dlq"), faults)
        for source in (COMMANDS, TRADES))
    told["trades"] = check_trades(db, topic(TRADES), faults)
    check_books(db, faults, progress.say)
    return told


def check(args):
    began = time.monotonic()
    faults = Faults()
    sent, newest = read_sent(args.state)
    db = psycopg2.connect(args.database_url)
    db.set_session(isolation_level="REPEATABLE READ", readonly=True)
    with db.cursor() as cur:
        cur.execute("SET search_path = ch")
    told = check_all(args, db, sent, newest, faults)
    if not sent:
        faults.add("lost", "no command was sent: nothing was checked")
    waits = told.pop("waits")
    read, unanswered = next(rows(db, READ))
    return {
        "commands_in": len(sent),
        "sent": dict(collections.Counter(r["kind"] for r in sent.values())),
        "records_read": read,
        "unanswered": unanswered,
        **told,
        "lost": faults.count["lost"],
        "doubled": faults.count["doubled"],
        "balanced": faults.count["books"] == 0,
        "timers": one(db, "SELECT count(*) FROM command_log "
                          "WHERE source = 'timer'"),
        "p50_ms": percentile(waits, 0.50),
        "p99_ms": percentile(waits, 0.99),
        "statuses": statuses(db),
        "faults": dict(faults.examples),
        "checked_in_s": round(time.monotonic() - began, 1),
    }


def the_sum(summary):
    """How what came in is what went out."""
    read, timers = summary["records_read"], summary["timers"]
    silent = summary["unanswered"]
    out = summary["results_out"] - summary["redelivered"]
    text = f"{read} in + {timers} timers - {silent} letters only"
    due = read + timers - silent
    return f"{text} = {out} out" if due == out else \
        f"{text} = {due}, but {out} out"


def show(summary):
    print("\nsummary (by deploy/local/checker.py, from the producer's file, "
          "Kafka and SQL;\nall runs over these books, latencies of the last one; "
          "timers are expiries\nand payments, answered unasked; in: records "
          "read, those that you sent by hand too)")
    for name in ("commands_in", "results_out", "timers", "lost", "doubled",
                 "balanced", "events", "dead_letters", "trades", "p50_ms", "p99_ms",
                 "redelivered", "checked_in_s"):
        value = summary[name]
        if isinstance(value, bool):
            value = "yes" if value else "NO"
        print(f"  {name.replace('_', ' '):14} {value}")
    print(f"  {'sum':14} {the_sum(summary)}")
    for name in ("sent", "statuses"):
        print(f"  {name:14} " + ", ".join(
            f"{k} {v}" for k, v in summary[name].items()))
    for kind, examples in summary["faults"].items():
        for text in examples:
            print(f"  FAULT {kind}: {text}")


def environment(state):
    env = {}
    path = state / "env"
    for line in path.read_text().splitlines() if path.exists() else []:
        name, _, value = line.partition("=")
        env[name] = "".join(shlex.split(value))
    return env


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--state", type=pathlib.Path, required=True)
    parser.add_argument("--bootstrap")
    parser.add_argument("--database-url")
    parser.add_argument("--summary", type=pathlib.Path)
    parser.add_argument("--results", type=pathlib.Path)
    parser.add_argument("--kcat", default="", help="more options for kcat")
    args = parser.parse_args()
    env = environment(args.state)
    args.bootstrap = args.bootstrap or env.get("BOOTSTRAP")
    args.database_url = args.database_url or env.get("DATABASE_URL")
    if not args.bootstrap or not args.database_url:
        parser.error(f"no BOOTSTRAP or DATABASE_URL in {args.state}/env: "
                     "give --bootstrap and --database-url")
    summary = check(args)
    if args.summary:
        fresh = args.summary.with_suffix(".new")
        fresh.write_text(json.dumps(summary, indent=2) + "\n")
        fresh.rename(args.summary)
    show(summary)
    good = summary["balanced"] and not summary["lost"] and not summary["doubled"]
    print("  verdict        " + ("the books balance, nothing lost or doubled"
                                 if good else "NOT RIGHT: see the faults"))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
