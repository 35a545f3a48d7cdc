"""Was a letter lost, sent without a plan, twice without need, out of its order,
or counted wrongly? Topics read back against the tables. Each function returns
the differences as texts."""

import collections
import dataclasses


@dataclasses.dataclass
class Record:
    key: str
    value: str
    id: str
    letter: str
    original: str
    place: tuple  # topic, partition, offset
    ms: int


def read(world, topic):
    made = []
    for r in world.rows.records(topic):
        headers = dict(zip(r["headers"][::2], r["headers"][1::2]))
        made.append(Record(r["key"], r["payload"], headers.get("id"),
                           headers.get("ch_letter_id"),
                           headers.get("ch_original_id"),
                           (topic, r["partition"], r["offset"]), r["ts"]))
    return made


def first_seen(records, name):
    """{key: names in the order of their first record}."""
    seen = collections.defaultdict(dict)
    for r in records:
        seen[r.key].setdefault(name(r))
    return {key: list(names) for key, names in seen.items()}


def counts(world, plan):
    """A plan's numbers are those of its letters, of what was sent for it, and
    of the trail."""
    wrong = []
    [(state, letters, place)] = world.sql(
        "SELECT state, letters, next_place FROM replay_plans "
        "WHERE plan_id = %s", (plan,))
    outcomes = dict(world.sql(
        "SELECT coalesce(outcome, 'waiting'), count(*) FROM "
        "replay_plan_letters WHERE plan_id = %s GROUP BY 1", (plan,)))
    if (state, place) != ("done", letters + 1):
        wrong.append(f"plan {plan} is {state} at {place} of {letters}")
    if sum(outcomes.values()) != letters or "waiting" in outcomes:
        wrong.append(f"plan {plan}: {outcomes} of {letters} letters")
    for what, text in (
            ("replays", "SELECT count(*), count(DISTINCT letter_id) "
             "FROM letter_replays WHERE plan_id = %s"),
            ("audit rows", "SELECT count(*), count(DISTINCT subject) FROM "
             "audit_events WHERE action = 'dlq.replay' "
             "AND (after->>'plan')::int8 = %s")):
        found = world.sql(text, (plan,))[0]
        if found != (outcomes.get("sent", 0),) * 2:
            wrong.append(f"plan {plan}: {found} {what}, {outcomes}")
    done = world.sql("SELECT after->'counts' FROM audit_events WHERE "
                     "action = 'dlq.done' AND subject = %s", (f"plan {plan}",))
    if done != [(outcomes,)]:
        wrong.append(f"plan {plan}: its end says {done}, not {outcomes}")
    return wrong


def decided(world, plan):
    """What the plan says of a letter is what became of it."""
    states = dict(world.sql("SELECT letter_id::text, state FROM letters"))
    # one may be sent, then discarded
    gone = {"replayed", "resolved", "discarded"}
    allowed = {"sent": gone, "refused": gone}
    rows = world.sql(
        "SELECT letter_id::text, outcome, detail FROM replay_plan_letters "
        "WHERE plan_id = %s", (plan,))
    return [f"plan {plan}: {letter} is {states[letter]}, it says {outcome}: "
            f"{detail}" for letter, outcome, detail in rows
            if outcome in allowed and states[letter] not in allowed[outcome]]


def stand_where_they_say(world, records):
    """Each sending has its record; each of a letter's records its letter, and
    no more of them than were sent or in doubt."""
    at = {r.place: r for r in records}
    letters = {i: (bytes(v), state) for i, v, state in world.sql(
        "SELECT letter_id::text, value, state FROM letters")}
    sendings = world.sql("SELECT letter_id::text, topic, part, log_offset "
                         "FROM letter_replays")
    wrong = [f"{letter} was sent {n} times" for letter, n in
             collections.Counter(s[0] for s in sendings).items() if n > 1]
    sent = {s[0] for s in sendings}
    topics = {r.place[0] for r in records}
    for letter, *place in sendings:
        if place[0] in topics and (
                tuple(place) not in at or at[tuple(place)].letter != letter):
            wrong.append(f"{letter} does not stand at {place}")
    for letter, n in collections.Counter(
            r.letter for r in records if r.letter).items():
        if letter not in letters:
            wrong.append(f"a record of {letter}, which is no letter")
        elif n > (letter in sent) + world.in_doubt(letter):
            wrong.append(f"{letter} ({letters[letter][1]}) stands {n} times, "
                         f"{world.in_doubt(letter)} in doubt")
    return wrong + [
        f"{r.letter}: {r.value[:40]!r} is not its value" for r in records
        if r.letter in letters and
        r.value.encode("utf-8", "surrogateescape") != letters[r.letter][0]]


def in_order(records):
    """Numbers of a key rise, after repeated ids are dropped."""
    wrong = []
    for key, names in first_seen(records, lambda r: r.letter).items():
        number = {r.letter: int(r.value.split()[0]) for r in records}
        numbers = [number[n] for n in names]
        if numbers != sorted(numbers):
            wrong.append(f"{key}: {numbers}")
    return wrong


def not_after_discard(world, records):
    """Nothing is sent of a letter that was discarded before."""
    when = dict(world.sql(
        "SELECT subject, (extract(epoch FROM at) * 1000)::int8 FROM "
        "audit_events WHERE action = 'dlq.discard'"))
    return [f"{r.letter} was discarded {r.ms - when[r.letter]} ms before it "
            "was sent" for r in records
            if r.letter in when and r.ms > when[r.letter] + 1]


def events(world, records):
    """All of a key, in their order, but those that were discarded."""
    gone = {i for i, in world.sql(
        "SELECT row_id FROM letters WHERE state = 'discarded'")}
    due = collections.defaultdict(list)
    for key, id_ in world.events:
        due[key].append(id_)
    wrong = []
    seen = first_seen(records, lambda r: r.original or r.id)
    for key, ids in due.items():
        there = seen.get(key, [])
        kept = [i for i in ids if i not in gone or i in there]
        if there != kept:
            wrong.append(f"{key}: {len(there)} events of {len(kept)}, or not "
                         "in their order")
    return wrong


def topics(world):
    """Of this wave: the ledger's letters, and the late topic's events."""
    return [read(world, topic) for topic in
            (world.rows.commands, world.rows.prefix + world.tag)]


def of_records(world, ours, late):
    return (stand_where_they_say(world, ours + late) + in_order(ours)
            + events(world, late) + not_after_discard(world, ours + late))


def verdict(world):
    """(differences, how many records there are)."""
    wrong = [w for plan in world.plans
             for w in counts(world, plan) + decided(world, plan)]
    ours, late = topics(world)
    wrong += of_records(world, ours, late)
    return wrong + blind(world, ours, late), len(ours + late)


def blind(world, ours, late):
    """Damages of these very records that would not be seen."""
    one = ours[len(ours) // 2]
    many = world.in_doubt(one.letter) + 2
    last = late[-1]
    damages = {
        "dropped": ([r for r in ours if r.letter != one.letter], late),
        "again and again": (ours + [one] * many, late),
        "another value": ([dataclasses.replace(r, value=r.value + "0")
                           if r is one else r for r in ours], late),
        "no letter": ([*ours, dataclasses.replace(one, letter="0")], late),
        "two swapped": ([r for r in ours if r.key != one.key]
                        + sorted((r for r in ours if r.key == one.key),
                                 key=lambda r: -int(r.value.split()[0])),
                        late),
        "an event dropped": (ours, [r for r in late if r.id != last.id]),
        "an event first": (ours, [last, *late])}
    return [f"the judge is blind: {name}" for name, (a, b) in damages.items()
            if not of_records(world, a, b)]
