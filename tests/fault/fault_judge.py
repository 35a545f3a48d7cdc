"""Was anything lost, doubled or decided otherwise than one at a time?

Each function returns the differences it finds as texts, the first one first;
none: all is well. What is held against each other:

  outcomes    every record of the commands topic / the rows it led to
  acknowledged  what Kafka acknowledged to the producer / the topic
  serial      answers, postings, books, events / the serial model run in the
              log's order (batch, pos), with its times and pauses
  delivered   every row that leaves / the topics: there with its id, as stored,
              in order per key after dropping repeated ids
"""

import collections
import json

import ledger_oracle
from harness.kafka import kcat_to_end

NOT_NOW = {"trading_paused", "rate_limited"}


def header(record, name):
    pairs = record.get("headers") or []
    for at in range(0, len(pairs) - 1, 2):
        if pairs[at] == name:
            return pairs[at + 1]
    return None


def read_topic(bootstrap, topic):
    """Every record as kcat's JSON; surrogates stand for broken UTF-8."""
    text = kcat_to_end(bootstrap, topic, "-J", "-X",
                       "isolation.level=read_committed").decode(
                           "utf-8", "surrogateescape")
    return [json.loads(line) for line in text.split("\n") if line]


def raw(text):
    return None if text is None else text.encode("utf-8", "surrogateescape")


# ---- outcomes

def outcomes(records, rows):
    """records: (part, offset) of the whole topic. rows: (source, part,
    offset, status), source one of log, answer, rejected."""
    found = collections.defaultdict(list)
    for source, part, offset, status in rows:
        found[part, offset].append((source, status))
    wrong = [f"outcome {at} stands for no record: {found[at]}"
             for at in sorted(found.keys() - set(records))]
    for at in records:
        got = sorted(found.get(at, []))
        kinds = [source for source, _ in got]
        if kinds in (["log"], ["answer"], ["rejected"]):
            continue
        if kinds == ["answer", "rejected"] and got[0][1] == "invalid":
            continue
        wrong.append(f"record {at} has outcomes {got}, one was due")
    return wrong


def ids(rows):
    """rows: (org_id, id) of command_log: an id is taken once."""
    return [f"id {at} was taken {n} times"
            for at, n in collections.Counter(rows).items() if n > 1]


def acknowledged(sent, records, outcome_of):
    """sent: the producer's lines. records: {(part, offset): value bytes}.
    outcome_of: {(part, offset): [(source, status)]}. A client that got no
    answer from a killed broker may write a record twice: the same bytes at
    another place then count as that record."""
    wrong, places = [], collections.defaultdict(list)
    for at, value in records.items():
        places[value].append(at)
    for line in sent:
        at = line["partition"], line["offset"]
        if at not in records:
            wrong.append(f"acknowledged {line['id']} is not at {at}")
        elif line["id"].encode() not in (records[at] or b""):
            wrong.append(f"at {at} is another record than {line['id']}")
        elif line["kind"] == "fresh":
            got = [o for place in places[records[at]]
                   for o in outcome_of.get(place, [])]
            taken = sum(source == "log" for source, _ in got)
            # refused for now, it took no id: another payload may have, before
            # this record's copy came
            for_now = [status for _, status in got if status in NOT_NOW]
            if taken != 1 and not (taken == 0 and for_now and all(
                    status in (*NOT_NOW, "key_reused") for _, status in got)):
                wrong.append(f"fresh {line['id']} at {at} ended as {got}")
    return wrong


# ---- the serial model

def multiset(name, model, stored):
    """At most a few of what only one side has."""
    mine, theirs = collections.Counter(stored), collections.Counter(model)
    return ([f"{name} stored, not in the model: {x}"
             for x in list((mine - theirs).elements())[:5]]
            + [f"{name} of the model, not stored: {x}"
               for x in list((theirs - mine).elements())[:5]])


def serial(ledger, values, directory):
    """The log through the model; also what it summed up. values: {(stream,
    offset): value bytes of the record}."""
    return ledger_oracle.differences(ledger, values, directory)


# ---- what left

def delivered(name, rows, records):
    """rows: {id: (key, order, value)}, where per key, order ascends; order is
    (stream, number): numbers of two streams are not compared. records: (id,
    key, value) as they lie in Kafka, partition by partition. Returns the
    differences and the number of repeated records."""
    wrong, seen, last, repeated = [], set(), {}, 0
    for id_, key, value in records:
        if id_ not in rows:
            wrong.append(f"{name}: record {id_} stands for no row")
            continue
        row_key, (stream, number), row_value = rows[id_]
        if (key, value) != (row_key, row_value):
            wrong.append(f"{name}: record {id_} is {(key, value)}, the row "
                         f"has {(row_key, row_value)}")
        if id_ in seen:
            repeated += 1
            continue
        seen.add(id_)
        if last.get((key, stream), (-1,))[0] >= number:
            wrong.append(f"{name}: {id_} of key {key} came after "
                         f"{last[key, stream]}")
        last[key, stream] = (number, id_)
    lost = sorted(rows.keys() - seen)
    if lost:
        wrong.insert(0, f"{name}: {len(lost)} rows never came, the first is "
                     f"{lost[0]}: {rows[lost[0]]}")
    return wrong, repeated
