"""The log of a database through the serial model (tests/support/
serial_oracle.c), and everything it says beside what the database holds: every
answer, posting and event, every row of every table."""

import json
import subprocess

import ledger_rows
from harness.cell import OUT
from harness.wait import until

US = "(extract(epoch FROM {}) * 1000000)::int8"
# what the ledger gives an id of its own making
TIMER_EVENTS = {"hold.expired", "reservation.expired", "market.settled"}


# ---- the log as the oracle reads it

def fetch(ledger):
    """Rows of the log: batch, pos, stream, part, offset, source, time,
    command or value, result, is poison."""
    return ledger.rows(f"""
        SELECT batch, pos, l.stream, part, src_offset, source,
            {US.format("decided_at")}, encode(command, 'hex'), result, false
            FROM command_log l JOIN consumer_partitions USING (stream)
        UNION ALL SELECT batch, pos, a.stream, part, src_offset, 'kafka',
            {US.format("decided_at")}, NULL, result, false
            FROM answers a JOIN consumer_partitions USING (stream)
        UNION ALL SELECT batch, pos, stream, part, src_offset, 'kafka',
            {US.format("decided_at")}, encode(value, 'hex'), NULL,
            error_class = 'poison' FROM rejected""")


def log_of(rows, values):
    """The oracle's input lines. values: {(stream, offset): bytes} of what was
    produced, since `answers` does not repeat the command."""
    records = {}
    for batch, pos, stream, part, offset, source, us, hex_, result, poison \
            in rows:
        key = (batch, stream, offset, pos if offset is None else None)
        line = records.setdefault(key, {
            "at": (batch, pos), "source": source, "decided_at": us,
            "part": part, "command_hex": None})
        line["at"] = min(line["at"], (batch, pos))
        if hex_ is not None:
            line["command_hex"] = hex_
        elif (stream, offset) in values:
            value = values[(stream, offset)]
            line["command_hex"] = value.hex() if value is not None else None
        if result is not None:
            line["expect"] = result
        if poison:
            line["parked"] = True
    return sorted(records.values(), key=lambda line: line["at"])


def produced(ledger):
    """{(stream, offset): value} of the whole topic."""
    streams = dict(ledger.rows("SELECT part, stream FROM consumer_partitions "
                               "WHERE topic = %s", ledger.topic))
    return {(streams[part], offset): value
            for part, offset, _, value in
            ledger.kafka.read_bytes(ledger.topic)}


# ---- what stands between the decisions

def pause_marks(changes):
    """changes: (number, action, scope, types) of pause() and resume()."""
    active, marks = {}, []
    for number, action, scope, types in sorted(changes):
        if action == "pause":
            active[scope] = types
        else:
            active.pop(scope, None)
        marks.append({"at": (number, -1), "source": "pauses", "pauses": [
            {"scope": s, "types": t} for s, t in sorted(active.items())]})
    return marks


def rate_marks(changes, orgs):
    """changes: (number, action, name, rule before, rule after)."""
    rules, marks = {}, []
    for number, action, name, before, after in sorted(changes):
        forget = []
        if action == "set_rate_rule":
            rules[name] = after
            if before is not None and any(before[k] != after[k] for k in (
                    "org_id", "scope", "shares")):
                forget = [name]
        else:
            del rules[name]
            forget = [name]
        marks.append({
            "at": (number, -1), "source": "rates", "forget": forget,
            "rates": [{**{k: r[k] for k in ("name", "scope", "types", "most",
                                            "window_us", "shares")},
                       **({"org": orgs[r["org_id"]]} if r["org_id"] else {})}
                      for _, r in sorted(rules.items())]})
    return marks


def changes_of(ledger):
    pauses = ledger.rows(
        "SELECT (after ->> 'number')::int8, action, subject, CASE WHEN "
        "action = 'pause' THEN ARRAY(SELECT jsonb_array_elements_text("
        "after -> 'types')) END FROM audit_events "
        "WHERE action IN ('pause', 'resume')")
    rates = ledger.rows(
        "SELECT (after ->> 'number')::int8, action, subject, before, after "
        "FROM audit_events WHERE action IN ('set_rate_rule', "
        "'drop_rate_rule')")
    orgs = dict(ledger.rows("SELECT org_id, name FROM orgs"))
    return pause_marks(pauses) + rate_marks(rates, orgs)


def position_marks(ledger):
    """In which order each settled market's positions were paid."""
    marks = []
    for batch, pos, org, market in ledger.rows("""
            SELECT batch, pos, o.name,
                convert_from(command, 'UTF8')::jsonb ->> 'market'
            FROM command_log JOIN orgs o USING (org_id)
            WHERE type = 'market.pay' AND source = 'timer' AND
                (convert_from(command, 'UTF8')::jsonb ->> 'page')::int8 = 1"""):
        pairs = ledger.rows(
            "SELECT a.name, p.outcome FROM positions p "
            "JOIN accounts a USING (org_id, account_id) "
            "JOIN ledger_markets m USING (org_id, market_id) "
            "JOIN orgs o USING (org_id) WHERE o.name = %s AND m.name = %s "
            "ORDER BY position_id", org, market)
        marks.append({"at": (batch, pos - 0.5), "source": "positions",
                      "org": org, "market": market,
                      "accounts": [p[0] for p in pairs],
                      "outcomes": [p[1] for p in pairs]})
    return marks


def replay(ledger, values):
    """Everything that the oracle is to see, in order."""
    lowest = ledger.value(
        "SELECT lowest_day - '1970-01-01'::date FROM retention "
        "WHERE table_name = 'command_log'")
    return sorted([{"at": (-1, 0), "source": "retention",
                    "lowest_day": lowest}]
                  + log_of(fetch(ledger), values) + changes_of(ledger)
                  + position_marks(ledger), key=lambda line: line["at"])


def run(lines, path):
    """The oracle's report: (by line, rows, summary)."""
    source = path / "log.ndjson"
    with source.open("w") as out:
        for line in lines:
            body = {k: v for k, v in line.items() if k != "at"}
            out.write(json.dumps(body) + "\n")
    with source.open() as log:
        ran = subprocess.run([str(OUT / "bin" / "serial-oracle")], stdin=log,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True)
    assert ran.returncode in (0, 1), ran.stderr
    report = [json.loads(line) for line in ran.stdout.splitlines()]
    by_line, rows, summary = [], {}, {}
    for entry in report:
        if "row" in entry:
            rows[entry.pop("row")] = entry
        elif "summary" in entry:
            summary = entry["summary"]
        else:
            by_line.append(entry)
    assert summary["lines"] == len(lines)
    return by_line, rows, summary


# ---- what the database holds beside it

def postings_of(ledger):
    """In the order of decisions. A timer's have no id in the model."""
    timers = set(ledger.rows("SELECT batch, pos FROM command_log "
                             "WHERE source = 'timer'"))
    return [f"{head}|{'' if (batch, pos) in timers else id_}|{at}"
            for batch, pos, head, id_, at in ledger.rows(f"""
        SELECT p.batch, p.pos, o.name || '|' || a.name || '|' || p.shard ||
            '|' || p.leg || '|' || p.amount || '|' || p.balance_after,
            replace(p.command_id::text, '-', ''), {US.format("p.decided_at")}
        FROM postings p JOIN orgs o USING (org_id)
        JOIN accounts a USING (org_id, account_id)
        ORDER BY p.batch, p.pos, p.leg""")]


def canonical_event(type_, payload):
    body = json.loads(payload)
    body.pop("seq", None)
    if type_ in TIMER_EVENTS:
        body.pop("command_id", None)
    return f"{type_} {json.dumps(body, sort_keys=True)}"


def events_of(ledger):
    """In the order of decisions."""
    return [canonical_event(*row) for row in ledger.rows(
        "SELECT type, payload FROM outbox WHERE aggregatetype IN ('stock', "
        "'account', 'order', 'trade', 'market') ORDER BY seq")]


def lists(name, stored, model):
    """The first place where two lists part."""
    for i, (mine, theirs) in enumerate(zip(stored, model)):
        if mine != theirs:
            return [f"{name} {i} is {mine}, the model has {theirs}"]
    if len(stored) != len(model):
        more = max(stored, model, key=len)
        return [f"{len(stored)} of {name}, the model has {len(model)}; the "
                f"first more is {more[min(len(stored), len(model))]}"]
    return []


def tables(mine, theirs):
    """{row: members} of the tables and of the model."""
    wrong = [f"row {name} is only in the "
             f"{'tables' if name in mine else 'model'}: "
             f"{mine.get(name) or theirs.get(name)}"
             for name in sorted(set(mine) ^ set(theirs))]
    return wrong + [f"{name} is {mine[name]}, the model has {theirs[name]}"
                    for name in sorted(set(mine) & set(theirs))
                    if mine[name] != theirs[name]]


def differences(ledger, values, path):
    """What is not as in the serial model, and what it summed up: of answers
    that rested on absence, `absent` are otherwise in the model."""
    # fresh tables have no statistics, and some joins of theirs are long
    for table in ("accounts", "balances", "positions", "postings", "holds",
                  "command_log", "answers", "reservations"):
        ledger.rows(f"ANALYZE {table}; SELECT 1")
    lines = replay(ledger, values)
    by_line, rows, summary = run(lines, path)
    wrong = []
    for entry in by_line:
        if not {"difference", "problem"}.isdisjoint(entry):
            line = lines[entry["line"] - 1]
            text = bytes.fromhex(line.get("command_hex") or "")
            wrong.append(f"at (batch, pos) {line['at']}: "
                         f"{json.dumps(entry)} of {text[:900]!r}")
    wrong += lists("posting", postings_of(ledger),
                   [p for e in by_line for p in e.get("postings", [])])
    wrong += lists("event", events_of(ledger),
                   [canonical_event(*t.split(" ", 1))
                    for e in by_line for t in e.get("events", [])])
    last = max((line["decided_at"] for line in lines if "decided_at" in line),
               default=0)
    wrong += tables(ledger_rows.every(ledger, last), rows)
    return wrong, summary


def settled(ledger, seconds=60):
    """Whatever can run out has, and every settlement is done."""
    until(lambda: ledger.value(
        "SELECT (SELECT count(*) FROM reservations WHERE state = 'reserved' "
        "AND expires_at IS NOT NULL) + (SELECT count(*) FROM holds "
        "WHERE state = 'held' AND expires_at IS NOT NULL) + (SELECT count(*) "
        "FROM ledger_markets WHERE state = 'settling')") == 0, seconds,
        "everything that can expire, and every settlement")


def assert_equal(ledger, path, poison=False):
    """Every record has its row, and every answer, posting, event and row of
    every table is that of the serial model. poison: some may be parked as
    such."""
    settled(ledger)
    values = produced(ledger)
    missing = set(values) - {(row[2], row[4]) for row in fetch(ledger)}
    assert not missing, f"records without a row: {sorted(missing)[:10]}"
    wrong, summary = differences(ledger, values, path)
    wrong += [f"parked as poison: {row}" for row in ledger.rows(
        "SELECT part, src_offset, reason FROM rejected "
        "WHERE error_class = 'poison'") if not poison]
    (path / "differences").write_text("\n".join(wrong))
    assert not wrong, (f"{len(wrong)} differences, all in "
                       f"{path}/differences\n" + "\n".join(wrong[:6]),
                       summary)
    return summary
