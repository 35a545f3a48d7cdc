"""Dead letters in bulk: plan, approve, run, stop; canary, loop guard, order."""

import collections
import json
import random
import subprocess
import uuid

import pytest

from harness.cell import OUT
from harness.kafka import header
from harness.wait import until


def plan(cell, *args, status=0):
    """Makes a plan; its number."""
    out = cell.dlq("plan", "--reason", "mended", "--actor", "ann", *args,
                   status=status)
    if status != 0 or "--dry-run" in args:
        return out
    return out.rsplit("\nplan ", 1)[1].split()[0]


def approved(cell, *args):
    number = plan(cell, *args)
    cell.dlq("approve", number, "--reason", "looks right", "--actor", "bob")
    return number


def shown(cell, number):
    return json.loads(cell.dlq("plans", number, "--json"))


def start(cell, *args, **more):
    """dlq in the background, to be killed."""
    flags = [f"--{k}={v}" for k, v in cell.flags(**more).items()
             if k != "database_url"]
    return subprocess.Popen(
        [str(OUT / "bin" / "outbox-relay"), *flags,
         f"--database_url={cell.cell.url('operator', cell.database)}", "dlq",
         *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ended(process):
    out, _ = process.communicate(timeout=60)
    return process.returncode, out


def states(cell):
    return dict(cell.sql("SELECT letter_id::text, state FROM letters"))


def audits(cell, action):
    return cell.sql("SELECT subject, actor, reason, after FROM audit_events "
                    "WHERE action = %s ORDER BY event_id", (action,))


def letter_headers(record):
    names = record["headers"][::2]
    return dict(zip(names, record["headers"][1::2]))


def test_a_plan_says_what_it_would_send_and_sends_that(relay_cell):
    cell = relay_cell
    letters = [cell.rejected(part=n % 2, key=b"k%d" % (n % 3), value=b"v%d" % n,
                             headers=[(b"tenant", b"t%d" % (n % 2))])
               for n in range(6)]
    where = ["--where", "class = 'unreadable' and header.tenant = 't1'"]
    dry = plan(cell, *where, "--dry-run")
    assert "3 letters       3 keys" in dry and f"to {cell.commands}[1]" in dry
    assert dry.count("pending") == 3 and "nothing was stored" in dry
    assert cell.dlq("plans") == "" and audits(cell, "dlq.plan") == []

    number = plan(cell, *where)
    cell.rejected(headers=[(b"tenant", b"t1")])  # later: not what was approved
    run = cell.run_dlq("run", number)
    assert run.returncode == 2 and "let it be approved first" in run.stderr
    assert cell.records(cell.commands) == []
    cell.dlq("approve", number, "--reason", "ok", "--actor", "bob", "--dry-run")
    assert shown(cell, number)["state"] == "planned"
    cell.dlq("approve", number, "--reason", "ok", "--actor", "bob")
    assert "3 letters" in cell.dlq("run", number, "--dry-run")
    assert cell.records(cell.commands) == []

    out = cell.dlq("run", number, "--actor", "cyd")
    sent = cell.records(cell.commands)
    wanted = letters[1::2]
    assert [letter_headers(r)["ch_letter_id"] for r in sent] == wanted
    assert [r["payload"] for r in sent] == ["v1", "v3", "v5"]
    assert {(r["partition"], letter_headers(r)["tenant"]) for r in sent} == {
        (1, "t1")}
    assert all(f"{i}  sent" in out for i in wanted)
    done = shown(cell, number)
    assert (done["state"], done["sent"], done["next_place"]) == ("done", 3, 4)
    found = states(cell)
    assert [found[i] for i in wanted] == ["replayed"] * 3
    assert list(found.values()).count("pending") == 4
    assert [(a, s) for s, a, _, _ in audits(cell, "dlq.replay")] == [
        ("cyd", i) for i in wanted]
    for action, actor in (("dlq.plan", "ann"), ("dlq.approve", "bob"),
                          ("dlq.run", "cyd"), ("dlq.done", "cyd")):
        [(subject, by, reason, after)] = audits(cell, action)
        assert (subject, by) == (f"plan {number}", actor) and reason
        assert after["selection"]["where"] == where[1]
    assert audits(cell, "dlq.done")[0][3]["counts"] == {"sent": 3}
    assert cell.sql("SELECT DISTINCT plan_id FROM letter_replays") == [
        (int(number),)]
    cell.dlq("run", number, status=2)
    cell.dlq("cancel", number, "--reason", "r", status=2)
    cell.dlq("plan", "--where", "class = 'none'", "--reason", "r", status=2)


def test_two_people(relay_cell):
    cell = relay_cell
    cell.rejected()
    number = plan(cell, "--where", "age < 1h", "--two-person")
    ran = cell.run_dlq("approve", number, "--reason", "r", "--actor", "ann")
    assert ran.returncode == 2
    assert "planned by ann too" in ran.stderr
    assert "somebody else" in ran.stderr
    cell.dlq("run", number, status=2)
    # not by writing it down oneself either
    for wrong in ("SET state = 'approved'", "SET approved_by = 'bob'",
                  "SET two_person = 'off'"):
        with pytest.raises(Exception, match="permission|approved"):
            with cell.cell.connect("operator", cell.database) as db:
                db.cursor().execute(f"UPDATE ch.replay_plans {wrong}")
    cell.dlq("approve", number, "--reason", "r", "--actor", "bob")
    cell.dlq("run", number)

    # asked for by the approver; another role, by configuration
    cell.rejected()
    number = plan(cell, "--where", "age < 1h")
    cell.dlq("approve", number, "--reason", "r", "--actor", "ann",
             "--two-person", status=2)
    flags = cell.flags
    cell.flags = lambda **more: {**flags(), "dlq_two_person": "role", **more}
    ran = cell.run_dlq("approve", number, "--reason", "r", "--actor", "bob")
    assert ran.returncode == 2 and "two roles are asked for" in ran.stderr
    ran = cell.run_dlq("replay", "--topic", cell.commands, "--reason", "r")
    assert ran.returncode == 2 and "nobody replays alone" in ran.stderr
    cell.flags = flags
    cell.dlq("approve", number, "--reason", "r", "--actor", "bob")
    cell.flags = lambda **more: {**flags(), "dlq_two_person": "role", **more}
    ran = cell.run_dlq("run", number)
    assert ran.returncode == 2 and "plan it again" in ran.stderr
    cell.flags = flags
    cell.dlq("run", number)


def test_a_run_that_was_killed_goes_on_at_its_cursor(relay_cell):
    cell = relay_cell
    letters = [cell.rejected(part=n % 2, key=b"k%d" % (n % 4),
                             value=b"%d" % n) for n in range(40)]
    number = approved(cell, "--topic", cell.commands, "--rate", "1")
    first = start(cell, "run", number)
    until(lambda: shown(cell, number)["next_place"] > 3, 60, "some are sent")
    assert shown(cell, number)["state"] == "running"
    busy = cell.run_dlq("run", number)  # one at a time
    assert busy.returncode == 2 and "another session" in busy.stderr
    first.kill()
    first.wait()
    first.stdout.close()
    # the dead run's session ends with its connection
    killed = until(lambda: (x := shown(cell, number)) and
                   x["state"] == "interrupted" and x, 60, "it is told")
    assert killed["next_place"] < 40 and "run it again" in killed[
        "state_reason"]
    cell.sql("UPDATE replay_plans SET per_second = NULL")
    until(lambda: cell.run_dlq("run", number).returncode == 0, 60, "done",
          every=0.5)

    assert shown(cell, number)["sent"] == 40
    assert set(states(cell).values()) == {"replayed"}
    assert [s for s, _, _, _ in audits(cell, "dlq.replay")] == letters
    # a letter may stand twice, acknowledged before the kill and not written
    # down; its id tells. First seen, each key is in order.
    seen = collections.Counter()
    keys = collections.defaultdict(list)
    for r in cell.records(cell.commands):
        ident = letter_headers(r)["ch_letter_id"]
        if not seen[ident]:
            keys[r["key"]].append(int(r["payload"]))
        seen[ident] += 1
    assert set(seen) == set(letters) and sum(seen.values()) <= 41
    assert all(numbers == sorted(numbers) for numbers in keys.values())


def test_stop_ends_a_run_that_waits_for_its_rate(relay_cell):
    cell = relay_cell
    for n in range(3):
        cell.rejected(key=b"k%d" % n, value=b"x" * 5000)
    number = approved(cell, "--topic", cell.commands, "--bytes-rate", "10")
    first = start(cell, "run", number)
    until(lambda: shown(cell, number)["next_place"] == 2, 60, "one is sent")
    cell.dlq("stop", number, "--reason", "lunch", "--actor", "dan")
    status, out = ended(first)
    assert status == 2 and f"plan {number} was stopped" in out
    assert len(cell.records(cell.commands)) == 1


def test_stop_holds_from_the_next_letter_and_run_goes_on(relay_cell):
    cell = relay_cell
    letters = [cell.rejected() for _ in range(30)]
    number = approved(cell, "--topic", cell.commands, "--rate", "1")
    cell.dlq("stop", number, "--reason", "r", status=2)  # it does not run
    first = start(cell, "run", number)
    until(lambda: shown(cell, number)["next_place"] > 2, 60, "some are sent")
    cell.dlq("stop", number, "--reason", "lunch", "--actor", "dan", "--dry-run")
    cell.dlq("stop", number, "--reason", "lunch", "--actor", "dan")
    status, out = ended(first)
    assert status == 2 and f"plan {number} was stopped" in out
    stopped = shown(cell, number)
    assert (stopped["state"], stopped["state_reason"]) == ("stopped", "lunch")
    assert len(cell.records(cell.commands)) == stopped["sent"] < 30
    # what was decided meanwhile is not sent
    cell.dlq("discard", letters[-1], "--reason", "by hand")
    cell.sql("UPDATE replay_plans SET per_second = NULL")
    ran = cell.run_dlq("run", number)
    assert ran.returncode == 0
    assert f"{letters[-1]}  refused: it is discarded" in ran.stderr
    done = shown(cell, number)
    assert (done["sent"], done["refused"]) == (29, 1)
    assert [letter_headers(r)["ch_letter_id"]
            for r in cell.records(cell.commands)] == letters[:-1]
    assert [a for _, a, _, _ in audits(cell, "dlq.stop")] == ["dan"]


def ledger_reads(cell, count, rejects=()):
    """As the ledger would: `count` records of partition 0, some refused."""
    stream = cell.stream(0)
    cell.sql("UPDATE consumer_partitions SET next_offset = %s "
             "WHERE stream = %s", (count, stream))
    for offset in rejects:
        sent = cell.sql("SELECT letter_id::text FROM letter_replays "
                        "WHERE part = 0 AND log_offset = %s", (offset,))[0][0]
        letter = cell.rejected(key=b"again", headers=[
            (b"ch_replay_count", b"1"), (b"ch_letter_id", sent.encode())])
        cell.sql("UPDATE rejected SET src_offset = %s WHERE letter_id = %s",
                 (offset, letter))


def test_canary_stops_when_letters_come_back(relay_cell):
    cell = relay_cell
    for n in range(6):
        cell.rejected(key=b"k%d" % n)
    number = approved(cell, "--topic", cell.commands, "--canary", "2")
    ran = cell.run_dlq("run", number, "--canary-wait", "0s")
    assert ran.returncode == 2
    assert "the ledger has read 0 of 2 letters" in ran.stderr
    assert len(cell.records(cell.commands)) == 2

    ledger_reads(cell, 2, rejects=[1])
    ran = cell.run_dlq("run", number)
    assert ran.returncode == 2
    assert "canary: 1 of 2 letters came back, at most 0 may" in ran.stderr
    assert len(cell.records(cell.commands)) == 2
    stopped = shown(cell, number)
    assert (stopped["state"], stopped["returned"]) == ("stopped", 1)
    assert "canary" in stopped["state_reason"]
    assert "canary" in audits(cell, "dlq.stop")[-1][2]
    cell.dlq("cancel", number, "--reason", "mended otherwise")
    cell.dlq("run", number, status=2)


def test_canary_that_passes_lets_the_rest_go(relay_cell):
    cell = relay_cell
    for n in range(6):
        cell.rejected(key=b"k%d" % n)
    number = approved(cell, "--topic", cell.commands, "--canary", "3",
                      "--canary-returns", "1")
    first = start(cell, "run", number)
    until(lambda: shown(cell, number)["sent"] == 3, 60, "the canary is sent")
    ledger_reads(cell, 3, rejects=[0])
    status, out = ended(first)
    assert status == 0, out
    done = shown(cell, number)
    assert (done["state"], done["sent"], done["returned"]) == ("done", 6, 1)
    assert done["canary_passed"] is True
    assert len(audits(cell, "dlq.canary")) == 1


def test_loop_guard_quarantines_and_holds_the_key(relay_cell):
    cell = relay_cell
    looped = cell.rejected(key=b"a", headers=[(b"ch_replay_count", b"5")])
    behind = cell.rejected(key=b"a")
    free = cell.rejected(key=b"b")
    # the same by hand
    ran = cell.run_dlq("replay", "--topic", cell.commands, "--dry-run")
    assert ran.returncode == 2 and ran.stdout.count("would replay") == 1
    assert f"{looped}: refused: it was replayed 5 times" in ran.stderr
    assert f"{behind}: refused: it is behind {looped}" in ran.stderr
    number = approved(cell, "--topic", cell.commands)
    ran = cell.run_dlq("run", number)
    assert ran.returncode == 0
    assert f"{looped}  quarantined: it was replayed 5 times" in ran.stderr
    assert f"{behind}  held: behind {looped}" in ran.stderr
    done = shown(cell, number)
    assert [done[k] for k in ("sent", "quarantined", "held")] == [1, 1, 1]
    assert states(cell) == {looped: "quarantined", behind: "pending",
                            free: "replayed"}
    assert [(s, a) for s, a, _, _ in audits(cell, "dlq.quarantine")][0][0] == (
        looped)
    # a bulk selection passes over it; by hand, on purpose, it goes
    assert [x["letter_id"] for x in cell.letters()] == [behind]
    cell.dlq("replay", looped, "--reason", "r", status=2)
    cell.dlq("replay", looped, "--reason", "r", "--max-replays", "6")
    number = approved(cell, "--topic", cell.commands)
    cell.dlq("run", number)
    assert [letter_headers(r)["ch_letter_id"]
            for r in cell.records(cell.commands)] == [free, looped, behind]


def test_a_failed_send_stops_the_plan_where_it_was(relay_cell, relay, kafka):
    cell = relay_cell
    daemon = relay()
    topic = cell.prefix + "order"
    first, second = cell.event("o1", "order"), cell.event("o2", "order")
    waiting = cell.event("o1", "order")
    until(lambda: len(cell.letters("--topic", topic)) == 2, 60, "parked")
    number = approved(cell, "--topic", topic)
    ran = cell.run_dlq("run", number)
    assert ran.returncode == 1 and "does not exist" in ran.stderr
    stopped = shown(cell, number)
    assert (stopped["state"], stopped["next_place"]) == ("stopped", 1)
    daemon.wait_metric(2, "relay_blocked_keys")  # blocked meanwhile
    kafka.create(topic)
    cell.dlq("run", number)
    until(lambda: len(cell.ids(topic)) == 3, 60, "the key flows again")
    o1 = [header(r, "id") for r in cell.records(topic) if r["key"] == "o1"]
    assert o1 == [first, waiting]
    assert second in cell.ids(topic)
    assert {x["state"] for x in cell.letters("--state", "any")} == {"resolved"}


def test_what_a_plan_would_overtake_is_said(relay_cell):
    cell = relay_cell
    cell.rejected(key=b"a", value=b"first")
    cell.rejected(key=b"a", value=b"second")
    ran = cell.run_dlq("plan", "--where", "value = 'second'", "--dry-run")
    assert "1 older open letters of these keys" in ran.stderr
    ran = cell.run_dlq("plan", "--where", "key = 'a'", "--dry-run")
    assert ran.stderr == ""


def edited(cell, tmp_path, letter, value):
    """Another letter in its place; its id."""
    (tmp_path / "value").write_bytes(value)
    out = cell.dlq("edit", letter, "--set-file", str(tmp_path / "value"),
                   "--reason", "r")
    return out.splitlines()[-1].split()[0]


def key_with_an_edit_of_an_edit(cell, tmp_path):
    """All in one call, the originals first: what is sent, in its order."""
    first = "00000000-0000-7000-8000-000000000001"
    cell.sql("UPDATE rejected SET letter_id = %s WHERE letter_id = %s",
             (first, cell.rejected(key=b"a", value=b"x")))
    behind = cell.rejected(key=b"a", value=b"y")
    once = edited(cell, tmp_path, first, b"x1")
    twice = edited(cell, tmp_path, once, b"x2")
    return [first, once, twice, behind], [twice, behind]


def test_an_edit_goes_in_the_plan_of_its_original(relay_cell, tmp_path):
    cell = relay_cell
    letters, sent = key_with_an_edit_of_an_edit(cell, tmp_path)
    number = approved(cell, *letters)
    ran = cell.run_dlq("run", number)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("held: it was edited") == 2
    assert [letter_headers(r)["ch_letter_id"]
            for r in cell.records(cell.commands)] == sent
    done = shown(cell, number)
    assert (done["sent"], done["held"]) == (2, 2)
    assert states(cell)[letters[0]] == states(cell)[letters[1]] == "resolved"


def test_an_edit_goes_by_hand_in_the_call_of_its_original(relay_cell,
                                                          tmp_path):
    cell = relay_cell
    letters, sent = key_with_an_edit_of_an_edit(cell, tmp_path)
    ran = cell.run_dlq("replay", *letters, "--reason", "r")
    assert ran.returncode == 2 and ran.stderr.count("it was edited") == 2
    assert [letter_headers(r)["ch_letter_id"]
            for r in cell.records(cell.commands)] == sent
    assert {states(cell)[x] for x in letters[:2]} == {"resolved"}


def test_an_original_without_its_edit_holds_its_key(relay_cell, tmp_path):
    cell = relay_cell
    letters, _ = key_with_an_edit_of_an_edit(cell, tmp_path)
    number = approved(cell, letters[0], letters[3])
    ran = cell.run_dlq("run", number)
    assert f"{letters[3]}  held: behind {letters[0]}" in ran.stderr
    assert cell.records(cell.commands) == []


def test_letters_that_are_not_there_are_said(relay_cell):
    cell = relay_cell
    letter, unknown = cell.rejected(), str(uuid.uuid4())
    for more in (["--dry-run"], ["--reason", "r"]):
        ran = cell.run_dlq("plan", letter, letter.upper(), unknown, *more)
        assert ran.returncode == 2 and "planned" in ran.stdout
        assert "1 of the letters named do not exist" in ran.stderr
    [made] = [json.loads(x) for x in cell.dlq("plans", "--json").splitlines()]
    assert (made["letters"], made["missing"]) == (1, 1)
    cell.dlq("plan", letter, letter, "--reason", "r")  # named twice, and there


def test_schemas_of_one_database_run_their_plans_by_themselves(bare):
    """Both have a plan 1."""
    schemas = ["relay_a", "relay_b"]
    for name in schemas:
        bare.alone.install("public.outbox", name)
        bare.sql(f"INSERT INTO {name}.dead_letters (letter_id, source, row_id, "
                 "topic, error_class, reason, attempts, blocks_key) VALUES "
                 f"(gen_random_uuid(), 's', '1', '{bare.topic}', 'c', 'r', 1, "
                 "false)")

    def dlq(name, *args):
        return start(bare, *args, schema=name)
    for name in schemas:
        for args in (["plan", "--where", "attempts > 0", "--reason", "r"],
                     ["approve", "1", "--reason", "r"]):
            status, out = ended(dlq(name, *args))
            assert status == 0, out
    held = bare.alone.connect()
    held.autocommit = False
    with held.cursor() as cur:
        cur.execute("LOCK TABLE relay_a.letter_states IN SHARE MODE")
    first = dlq("relay_a", "run", "1")
    until(lambda: bare.sql(
        "SELECT pid FROM pg_locks WHERE NOT granted AND "
        "relation = 'relay_a.letter_states'::regclass"), 60, "it runs")
    for name, ends, word in (("relay_a", 2, "another session"),
                             ("relay_b", 0, "done")):
        status, out = ended(dlq(name, "run", "1"))
        assert status == ends and word in out, out
    held.close()
    status, out = ended(first)
    assert status == 0, out
    assert len(bare.records(bare.topic)) == 2


def test_one_letter_that_is_too_large_is_held_and_the_plan_goes_on(
        relay_cell, kafka):
    cell = relay_cell
    small = cell.prefix + "small"
    kafka.create(small, config=["max.message.bytes=20000"])
    rng = random.Random(1)
    big = cell.rejected(key=b"a", value=rng.randbytes(60000))
    behind = cell.rejected(key=b"a", value=b"behind")
    free = [cell.rejected(key=b"k%d" % n, value=b"%d" % n) for n in range(3)]
    gone = cell.rejected(part=7, key=b"g", value=b"gone")
    cell.sql("UPDATE rejected SET topic = %s", (small,))
    ran = cell.run_dlq("replay", big, behind, "--reason", "r")
    assert ran.returncode == 2, ran.stderr
    assert f"{big}: refused" in ran.stderr and "too large" in ran.stderr
    assert f"{behind}: refused: it is behind {big}" in ran.stderr

    number = approved(cell, "--topic", small)
    ran = cell.run_dlq("run", number)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    done = shown(cell, number)
    assert (done["state"], done["sent"], done["held"]) == ("done", 3, 3)
    assert f"{big}  held: " in ran.stderr and "dlq edit" in ran.stderr
    assert f"{behind}  held: behind {big}" in ran.stderr
    assert f"{gone}  held: partition 7" in ran.stderr
    assert [r["payload"] for r in cell.records(small)] == ["0", "1", "2"]
    assert [states(cell)[x] for x in (big, behind, gone, *free)] == (
        ["pending"] * 3 + ["replayed"] * 3)
