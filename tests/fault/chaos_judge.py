"""Was an event lost, made up, changed, out of its order, or put aside without
need?

Held against each other: what the writers know of their transactions, the
outbox and the dead letters as SQL has them, the topics from their beginning,
what an HTTP endpoint got and took of it.
"""

import collections
import copy

import fault_judge
from chaos_hook import KINDS as HOOKED
from chaos_load import large
from chaos_world import KINDS


class Evidence:
    """rows: (id, kind, key, version, payload) of the outbox, by seq; letters:
    row ids of dead letters; waiting: row ids behind them; topics: {kind: (id,
    key, value) as they lie in Kafka}; committed, undone: ids, as the writers
    know; versions: {key: version of the aggregate}; arrived, taken: (id, body)
    at the endpoint; unsigned: how many requests were not signed as agreed;
    discarded: row ids of dead letters that an operator discarded, before anything
    of them could be taken."""

    def __init__(self, rows, letters, waiting, topics, committed, undone,
                 versions, arrived, taken, unsigned, discarded=()):
        self.rows, self.letters, self.waiting = rows, letters, waiting
        self.topics, self.versions = topics, versions
        self.committed, self.undone = committed, undone
        self.arrived, self.taken, self.unsigned = arrived, taken, unsigned
        self.discarded = discarded

    @classmethod
    def of(cls, world, load):
        rows = world.sql(
            "SELECT id::text, aggregatetype, aggregateid, (payload::json->>"
            "'v')::int8, payload FROM outbox ORDER BY seq")
        topics = {kind: [
            (fault_judge.header(r, "id"), fault_judge.raw(r["key"]),
             fault_judge.raw(r["payload"])) for r in
            fault_judge.read_topic(world.kafka.bootstrap, topic)]
            for kind, topic in world.topics.items()}
        return cls(
            rows, [r[0] for r in world.sql("SELECT row_id FROM dead_letters")],
            [r[0] for r in world.sql("SELECT row_id FROM outbox_retry "
                                     "ORDER BY retry_id")],
            topics, load.events("committed"), load.events("undone"),
            dict(world.sql("SELECT key, version FROM public.aggregates")),
            *world.hook.evidence(),
            [r[0] for r in world.sql(
                "SELECT row_id FROM dead_letters JOIN letter_states USING "
                "(letter_id) WHERE state = 'discarded'")])


def transactions(seen):
    """The table has what was committed, and nothing that was taken back."""
    there = {row[0] for row in seen.rows}
    return ([f"committed and not in the table: {i}" for i in seen.committed
             if i not in there]
            + [f"taken back and in the table: {i}" for i in seen.undone
               if i in there])


def versions(seen):
    """By seq, each aggregate's versions are 1, 2, 3, ... to its own."""
    found = collections.defaultdict(list)
    for _, _, key, version, _ in seen.rows:
        found[key].append(version)
    return [f"{key}: versions in the table are not 1..{last}"
            for key, last in seen.versions.items()
            if found[key] != list(range(1, last + 1))]


def refused(seen):
    """(ids that must be dead letters, ids that must wait behind one)."""
    dead, waits, blocked = [], [], set()
    for id_, kind, key, _, payload in seen.rows:
        if key in blocked:
            waits.append(id_)
        elif large(len(payload)) and kind != "plain":
            dead.append(id_)
            if kind == "block":
                blocked.add(key)
    return dead, waits


def put_aside(seen, dead, waits):
    """(differences, ids that wait and were delivered before). Such a row came
    before its key was blocked; a relay that died had no time to write so down,
    and the next one read it again: a repetition that waits."""
    due, sent = set(waits), {r[0] for r in seen.topics["block"]}
    again = [i for i in seen.waiting if i not in due and i in sent]
    rest = [i for i in seen.waiting if i not in again]
    wrong = (fault_judge.multiset("dead letter", dead, seen.letters)
             + fault_judge.multiset("waiting event", waits, rest))
    if not wrong and rest != waits:
        wrong.append("events wait in another order than they were written in")
    return wrong, again


def missing(seen):
    """Ids that are neither in a topic nor put aside, or that the endpoint
    wants and has not taken."""
    there = {r[0] for records in seen.topics.values() for r in records}
    wanted = {row[0] for row in seen.rows if row[1] in HOOKED}
    return (({row[0] for row in seen.rows} - there - set(seen.letters)
             - set(seen.waiting)) | (wanted - {id_ for id_, _ in seen.taken}))


def hooked(seen):
    """(differences, repeated requests) of the endpoint: what it got, and what
    it took of that, is all that it wants, as stored and in order per key. What
    Kafka refuses it gets as well."""
    rows = {id_: (key.encode(), (0, version), payload.encode())
            for id_, kind, key, version, payload in seen.rows
            if kind in HOOKED}

    def held_against(name, requests):
        return fault_judge.delivered(name, rows, [
            (id_, rows[id_][0] if id_ in rows else b"", body)
            for id_, body in requests])
    wrong, repeated = held_against("endpoint", seen.arrived)
    not_taken, _ = held_against("taken by the endpoint", seen.taken)
    if seen.unsigned:
        wrong.append(f"endpoint: {seen.unsigned} requests are not signed")
    return wrong + not_taken, repeated


def verdict(seen):
    """(differences, the first one first; {kind: repeated records})."""
    dead, waits = refused(seen)
    wrong, again = put_aside(seen, dead, waits)
    wrong = transactions(seen) + versions(seen) + wrong
    aside, repeated = set(dead) | set(waits), {"waiting": len(again)}
    undone = set(seen.undone)
    for kind in KINDS:
        rows = {id_: (key.encode(), (0, version), payload.encode())
                for id_, of, key, version, payload in seen.rows
                if of == kind and id_ not in aside}
        found, repeated[kind] = fault_judge.delivered(
            kind, rows, seen.topics[kind])
        wrong += found + [f"{kind}: {r[0]} was taken back and sent"
                          for r in seen.topics[kind] if r[0] in undone]
    found, repeated["hook"] = hooked(seen)
    return wrong + found + came_out(seen), repeated


def came_out(seen):
    """What was discarded is in no topic, though it is read again."""
    gone = set(seen.discarded)
    return [f"{kind}: {id_} was discarded and came out"
            for kind, records in seen.topics.items()
            for id_ in {r[0] for r in records} & gone]


# ---- is it blind?

def damages(seen, kind="plain"):
    yield from topic_damages(seen, kind)
    yield from hook_damages(seen)


def hook_damages(seen):
    """A request that came, or that was taken, wrong in each way there is."""
    keys = {row[0]: row[2] for row in seen.rows}
    first = list(dict.fromkeys(seen.taken))
    one = first[len(first) // 2]
    two = next(r for r in first
               if keys.get(r[0]) == keys.get(one[0]) and r[0] != one[0])
    other = next((row[0], row[4].encode()) for row in seen.rows
                 if row[1] not in HOOKED)
    for name in ("arrived", "taken"):
        log = getattr(seen, name)
        for damage, made in (
                ("never", [r for r in log if r != one]),
                ("out of order", [{one: two, two: one}.get(r, r)
                                  for r in log]),
                ("changed", [(r[0], r[1] + b" ") if r == one else r
                             for r in log]),
                ("made up", [*log, ("0" * 36, one[1])]),
                ("not wanted", [*log, other])):
            yield f"{name}: {damage}", replaced(seen, **{name: made})
    yield "not signed", replaced(seen, unsigned=1)


def topic_damages(seen, kind):
    """(name, the same evidence with one event wrong), in each way there is."""
    records = seen.topics[kind]
    one = records[len(records) // 2]
    two = next(r for r in records if r[1] == one[1] and r[0] != one[0])
    id_, key, value = one

    def turned(change):
        return [made for record in records for made in change(record)]
    logs = {
        "dropped": turned(lambda r: [] if r == one else [r]),
        "two swapped": turned(lambda r: [
            {one: two, two: one}.get(r, r)]),
        "another id": turned(lambda r: [
            ("0" * 36, key, value) if r == one else r]),
        "another value": turned(lambda r: [
            (id_, key, value + b" ") if r == one else r]),
        "another key": turned(lambda r: [
            (id_, key + b"x", value) if r == one else r]),
        "made up": [*records, ("0" * 36, key, value)],
        "repeated with another value": [*records, (id_, key, value + b" ")]}
    for name, log in logs.items():
        yield name, replaced(seen, topics={**seen.topics, kind: log})
    yield "parked without need", replaced(
        seen, letters=[*seen.letters, id_],
        topics={**seen.topics, kind: logs["dropped"]})
    yield "lost by the table", replaced(
        seen, rows=[row for row in seen.rows if row[0] != id_])
    yield "taken back", replaced(seen, undone=[*seen.undone, id_])
    yield "discarded", replaced(seen, discarded=[*seen.discarded, id_])


def replaced(seen, **parts):
    made = copy.copy(seen)
    made.__dict__.update(parts)
    return made


def blind(seen):
    """Damages of this very log that the judge would not see."""
    return [f"the judge is blind: {name}" for name, damaged in damages(seen)
            if not verdict(damaged)[0]]
