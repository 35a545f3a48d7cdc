"""Dead letters found, grouped, exported and edited."""

import json
import os
import subprocess
import time

from harness.kafka import header
from harness.wait import until


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def found(cell, where, *args):
    return {x["letter_id"] for x in cell.letters("--where", where, *args)}


def test_expressions_find_what_they_say(relay_cell):
    cell = relay_cell
    a = cell.rejected(key=b"one", value=b'{"n":1}', part=0,
                      headers=[(b"tenant", b"x"), (b"tenant", b"y")])
    b = cell.rejected(key=b"two", value=b"\x00\xff", part=1,
                      headers=[(b"odd name", None)])
    c = cell.rejected(key=None, value=None, part=1, reason="it's odd")
    everything = {a, b, c}
    assert found(cell, "key = 'one'") == {a}
    assert found(cell, "key != 'one'") == {b, c}
    assert found(cell, "not key ~ '^t'") == {a, c}
    assert found(cell, "key in ('one', 'two')") == {a, b}
    assert found(cell, "value ~ '\"n\":1'") == {a}
    assert found(cell, r"value ~ '\\377'") == {b}
    assert found(cell, "header.tenant = 'y'") == {a}
    assert found(cell, "not header.tenant = 'y'") == {b, c}
    assert found(cell, "header.'odd name' = ''") == set()
    assert found(cell, "partition = 1 and bytes > 1") == {b}
    assert found(cell, "reason = 'it''s odd' or offset < 0") == {c}
    assert found(cell, "age < 1h and class = 'unreadable'") == everything
    assert found(cell, "age > 1h") == set()
    assert found(cell, "at > '2020-01-01T00:00:00Z'") == everything
    assert found(cell, f"topic = '{cell.commands}' and kind = 'rejected'") == (
        everything)
    assert found(cell, f"letter = '{a}'") == {a}
    assert found(cell, "replays = 0 and attempts >= 1", "--key", "two") == {b}
    cell.dlq("discard", b, "--reason", "r")
    assert found(cell, "partition = 1") == {c}
    assert found(cell, "partition = 1 and state = 'discarded'") == {b}
    # a value stays a value
    assert found(cell, "reason = '''; DROP TABLE ch.orgs; --'") == set()
    ran = cell.run_dlq("list", "--where", "clas = 'x'")
    assert ran.returncode == 64
    assert "filter, byte 1: found `clas`, expected a field" in ran.stderr
    ran = cell.run_dlq("list", "--where", "topic ~ '('")
    assert ran.returncode == 1 and "regular expression" in ran.stderr


def test_counts_and_groups(relay_cell):
    cell = relay_cell
    for n in range(5):
        cell.rejected(key=b"k%d" % (n % 2), value=b"12345",
                      reason=f'member "m{n}" has {n} bytes')
    cell.rejected(key=None, reason="no JSON")
    [all_] = lines(cell.dlq("count", "--json"))
    assert (all_["letters"], all_["bytes"]) == (6, 27)
    alike, other = lines(cell.dlq("group", "--by", "fingerprint", "--json"))
    assert alike["letters"] == 5
    assert alike["message"] == 'member "" has # bytes'
    assert (other["letters"], other["message"]) == (1, "no JSON")
    mark = alike["fingerprint"]
    assert len(found(cell, f"fingerprint = '{mark}'")) == 5
    assert {x["fingerprint"] for x in cell.letters("--where",
            "reason ~ 'bytes'")} == {mark}
    keys = lines(cell.dlq("group", "--by", "topic,key,age", "--json"))
    assert [(k["key"], k["letters"]) for k in keys] == [
        ("k0", 3), ("k1", 2), (None, 1)]
    assert {k["age"] for k in keys} == {"< 1h"}
    assert "fingerprint" in cell.dlq("group", "--by", "class,fingerprint")
    cell.dlq("group", status=64)
    cell.dlq("group", "--by", "colour", status=64)


def test_the_sort_of_a_letter_is_stored_with_it(relay_cell):
    """Of a million letters no reason is read for a look at them."""
    cell = relay_cell
    for n in range(4):
        cell.rejected(reason=f"{n} bytes")
    cell.rejected(reason="no JSON")
    cell.sql("INSERT INTO dead_letters (letter_id, source, row_id, topic, "
             "error_class, reason, attempts, blocks_key) VALUES "
             "(gen_random_uuid(), 's', 'r', 't', 'c', 'refused 7 times', 1, "
             "false)")
    cell.sql("CREATE SEQUENCE patterns; "
             "ALTER FUNCTION letter_pattern(text) RENAME TO true_pattern; "
             "CREATE FUNCTION letter_pattern(reason text) RETURNS text "
             "LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER AS $$ BEGIN "
             "PERFORM nextval('ch.patterns'); "
             "RETURN ch.true_pattern(reason); END $$; "
             "CREATE OR REPLACE FUNCTION letter_fingerprint(class text, "
             "reason text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN "
             "RAISE 'made anew of %%', reason; END $$")
    sorts = lines(cell.dlq("group", "--by", "class,fingerprint", "--json"))
    assert [(s["letters"], s["message"]) for s in sorts] == [
        (4, "# bytes"), (1, "no JSON"), (1, "refused # times")]
    assert cell.sql("SELECT last_value FROM patterns") == [(3,)]
    mark = sorts[0]["fingerprint"]
    assert len(found(cell, f"fingerprint = '{mark}'")) == 4
    # of before they had one
    cell.sql("CREATE OR REPLACE FUNCTION letter_fingerprint(class text, "
             "reason text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ "
             "SELECT 'of ' || reason $$; "
             "UPDATE dead_letters SET fingerprint = NULL")
    assert len(found(cell, "fingerprint = 'of refused 7 times'")) == 1


def test_what_became_of_replays_is_not_asked_for_letters_that_wait(relay_cell):
    cell = relay_cell
    sent, waits = cell.rejected(key=b"a"), cell.rejected(key=b"b")
    cell.dlq("replay", sent, "--reason", "r")
    cell.sql("CREATE OR REPLACE FUNCTION letter_resolved(letter uuid) "
             "RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN "
             "RAISE 'asked for %%', letter; END $$")
    assert [x["letter_id"] for x in cell.letters()] == [waits]
    assert lines(cell.dlq("count", "--json"))[0]["letters"] == 1
    assert "1 letters" in cell.dlq("plan", "--where", "attempts = 1",
                                   "--reason", "r", "--dry-run")
    for state in ("replayed", "resolved"):
        assert "asked for" in cell.run_dlq("list", "--state", state).stderr


def test_show_in_other_forms(relay_cell):
    cell = relay_cell
    doc = cell.rejected(value=b'{"a":[1,{"b":"\\u001b[31m"}],"c":{}}')
    text = cell.dlq("show", doc, "--pretty")
    shown = json.loads(text[text.index("value\n") + 6:])
    assert shown == {"a": [1, {"b": "\x1b[31m"}], "c": {}}
    assert "\x1b" not in text
    raw = cell.rejected(value=bytes(range(20)))
    text = cell.dlq("show", raw, "--hex")
    assert "00000010  10 11 12 13" in text
    assert "value (hex) 000102" in cell.dlq("show", raw, "--pretty") or (
        "\\x00\\x01" in cell.dlq("show", raw, "--pretty"))


# Of a small parent: what a process was before its exec counts too.
PEAK = """
import resource, subprocess, sys
with open(sys.argv[1], "wb") as out:
    subprocess.run(sys.argv[2:], stdout=out, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def test_large_values_are_not_held_together(relay_cell, tmp_path):
    """32 letters of 4 MB: no command holds more than a few of them."""
    cell = relay_cell
    for n in range(32):
        cell.rejected(key=b"k%d" % n)
    cell.sql("UPDATE rejected SET value = convert_to(repeat('x', 4000000), "
             "'UTF8')")
    for args in (["list"], ["list", "--json"], ["export"],
                 ["replay", "--where", "attempts = 1", "--dry-run"],
                 ["plan", "--where", "attempts = 1", "--dry-run"],
                 ["discard", "--where", "attempts = 1", "--reason", "r"]):
        run = subprocess.run(
            ["/usr/bin/python3", "-c", PEAK, str(tmp_path / "out"),
             *cell.dlq_command(*args)], stdout=subprocess.PIPE, check=True)
        assert int(run.stdout) < 80000, args  # kB
        assert (os.path.getsize(tmp_path / "out") > 32 * 4000000
                ) == (args == ["export"])
    assert cell.letters() == []


def test_an_export_is_whole_and_exact(relay_cell):
    cell = relay_cell
    values = [b"", b"\x00", b"\xff\xfe", "ä\n\"".encode(), None]
    letters = [cell.rejected(value=v, headers=[(b"h", v)]) for v in values]
    letters += [cell.rejected(value=b"v%d" % n) for n in range(450)]
    rows = lines(cell.dlq("export"))
    assert [r["letter_id"] for r in rows] == letters

    def exact(row, name="value"):
        if name + "_hex" in row:
            return bytes.fromhex(row[name + "_hex"])
        return row[name].encode() if row[name] is not None else None
    assert [exact(r) for r in rows[:5]] == values
    assert [exact(r["headers"][0]) for r in rows[:5]] == values
    assert len(lines(cell.dlq("export", "--where", "value ~ '^v1..$'"))) == 100


def test_an_edit_is_another_letter_and_keeps_the_difference(relay_cell,
                                                            tmp_path):
    cell = relay_cell
    original = cell.rejected(key=b"k", part=1, value=b'{"n":"x"}',
                             headers=[(b"h", b"v")])
    text = tmp_path / "value"
    text.write_bytes(b'{"n":12}')
    args = ["edit", original, "--set-file", str(text), "--reason", "a number",
            "--actor", "ann"]
    assert "would edit" in cell.dlq(*args, "--dry-run")
    assert [x["letter_id"] for x in cell.letters()] == [original]
    out = cell.dlq(*args)
    [edited] = cell.letters()
    assert edited["original"] == original and edited["letter_id"] in out
    assert edited["letter_id"] != original
    assert cell.sql("SELECT difference FROM letter_edits") == [
        ({"at": 5, "removed": b'"x"'.hex(), "inserted": b"12".hex()},)]
    cell.dlq(*args, status=2)
    cell.dlq("replay", original, "--reason", "r", status=2)
    cell.dlq("discard", original, "--reason", "r", status=2)
    assert found(cell, f"original = '{original}'") == {edited["letter_id"]}

    cell.dlq("replay", edited["letter_id"], "--reason", "go")
    [sent] = cell.records(cell.commands)
    assert (sent["payload"], sent["key"], sent["partition"]) == (
        '{"n":12}', "k", 1)
    assert sent["headers"] == [
        "h", "v", "ch_replay_count", "1", "ch_letter_id", edited["letter_id"],
        "ch_original_id", original]
    assert dict(cell.sql("SELECT letter_id::text, state FROM letters")) == {
        original: "resolved", edited["letter_id"]: "replayed"}
    actions = cell.sql("SELECT action, actor FROM audit_events "
                       "ORDER BY event_id")
    assert actions[:2] == [("dlq.edited", "ann"), ("dlq.edit", "ann")]


def of_day(ms, n):
    """A version 7 id of this time."""
    return f"{ms >> 16:08x}-{ms & 0xffff:04x}-7000-8000-{n:012x}"


def test_a_command_older_than_its_retention_gets_a_new_linked_id(relay_cell):
    cell = relay_cell
    cell.sql("UPDATE retention SET lowest_day = '2026-01-01' "
             "WHERE table_name = 'command_log'")
    old, young = of_day(1600000000000, 1), of_day(1790000000000, 2)
    text = ' {"org": "acme", "id" : "%s","nested": {"id": "%s"}, "n": 1.50}'
    expired = cell.rejected(key=b"acme/a", part=1, headers=[(b"h", b"v")],
                            value=(text % (old, old)).encode())
    kept = cell.rejected(key=b"acme/b", value=(text % (young, old)).encode())
    other = cell.rejected(key=b"acme/c", value=b"no JSON")
    ran = cell.run_dlq("replay", expired, "--reason", "r")
    assert ran.returncode == 2
    assert "before 2026-01-01" in ran.stderr
    assert "dlq edit --new-id" in ran.stderr
    for letter, why in ((kept, "replay it as it is"),
                        (other, "no rejected command")):
        ran = cell.run_dlq("edit", letter, "--new-id", "--reason", "r")
        assert ran.returncode == 2 and why in ran.stderr

    renew = ["edit", expired, "--new-id", "--actor", "ann", "--reason",
             "found after two months; nobody had sent it again"]
    assert "would edit" in cell.dlq(*renew, "--dry-run")
    cell.dlq(*renew, "--set-file", "-", status=64)
    cell.dlq("discard", expired, "--new-id", "--reason", "r", status=64)
    before = time.time()
    cell.dlq(*renew)
    [made] = [x for x in cell.letters() if x.get("original") == expired]
    value = cell.sql("SELECT convert_from(value, 'UTF8') FROM letter_edits")
    fresh = json.loads(value[0][0])["id"]
    assert value == [(text % (fresh, old),)], "nothing but its id is another"
    assert abs(int(fresh[:8] + fresh[9:13], 16) / 1000 - before) < 3600
    assert fresh != made["letter_id"]

    cell.dlq("replay", made["letter_id"], "--reason", "go")
    [sent] = cell.records(cell.commands)
    assert (sent["payload"], sent["key"], sent["partition"]) == (
        value[0][0], "acme/a", 1)
    assert header(sent, "ch_original_id") == expired
    states = dict(cell.sql("SELECT letter_id::text, state FROM letters"))
    assert states[expired] == "resolved"
    assert cell.sql("SELECT reason FROM audit_events WHERE actor = 'ann' "
                    "AND action = 'dlq.edit'") == [(renew[-1],)]


def test_an_edited_delivery_has_a_new_id_and_its_key_waits_for_it(
        relay_cell, relay, tmp_path):
    cell = relay_cell
    relay()
    big = cell.event("acme/a", payload=json.dumps("x" * 1100000))
    later = cell.event("acme/a")
    [letter] = until(cell.letters, 60, "parked")
    text = tmp_path / "value"
    text.write_bytes(b'"small"')
    cell.dlq("edit", letter["letter_id"], "--set-file", str(text), "--reason",
             "cut")
    other = cell.event("acme/b")
    until(lambda: other in cell.ids(cell.stock), 60, "others flow")
    assert cell.ids(cell.stock) == [other]  # the key waits for the edit
    [edited] = cell.letters()
    cell.dlq("replay", edited["letter_id"], "--reason", "go")
    until(lambda: later in cell.ids(cell.stock), 60, "the key flows")
    a = [r for r in cell.records(cell.stock) if r["key"] == "acme/a"]
    assert [header(r, "id") for r in a] == [edited["letter_id"], later]
    assert header(a[0], "ch_original_id") == big
    assert a[0]["payload"] == '"small"'
    assert [s for s, in cell.sql("SELECT state FROM letters")] == [
        "resolved"] * 2
