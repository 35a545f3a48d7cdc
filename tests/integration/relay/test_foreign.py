"""Dead-letter topics of other systems: imported once, found, replayed."""

import json
import signal
import subprocess

import pytest

from harness.cell import OUT
from harness.dead_letter_topics import connect, put, share, spring, streams
from harness.kafka import header
from harness.wait import until


@pytest.fixture
def origin(relay_cell):
    """A topic that records come from, and its dead-letter topic."""
    name = relay_cell.kafka.unique("orders")
    relay_cell.kafka.create(name, f"{name}.dlt")
    return name


def run_import(cell, *args, status=0):
    """Its summaries, and what it said."""
    ran = cell.run_dlq("import", *args, "--json", "--actor", "ann",
                       *([] if "--dry-run" in args else ["--reason", "r"]))
    assert ran.returncode == status, ran.stdout + ran.stderr
    return [json.loads(x) for x in ran.stdout.splitlines()], ran.stderr


def imported(cell, *args, status=0):
    [summary], _ = run_import(cell, *args, status=status)
    return summary


def start_import(cell, *args):
    """In the background, to be ended."""
    flags = [f"--{k}={v}" for k, v in cell.flags().items()
             if k != "database_url"]
    return subprocess.Popen(
        [str(OUT / "bin" / "outbox-relay"), *flags,
         f"--database_url={cell.cell.url('operator', cell.database)}", "dlq",
         "import", *args, "--reason", "r"], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)


def stored(cell):
    return cell.sql("SELECT count(*) FROM foreign_letters")[0][0]


def until_stored(cell, follows, count):
    """An import that has ended meanwhile has said why."""
    def there():
        assert follows.poll() is None, follows.communicate()
        return stored(cell) >= count
    until(there, 60, f"{count} letters")


def audits(cell, action):
    return cell.sql("SELECT subject, actor, reason, after FROM audit_events "
                    "WHERE action = %s ORDER BY event_id", (action,))


def pairs(record):
    return list(zip(record["headers"][::2], record["headers"][1::2]))


DIALECTS = {"connect": (connect, "DataException"),
            "spring": (spring, "BadOrder"),
            "streams": (streams, "SerializationException"),
            "share-group": (share, "share-group")}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_dialect_goes_back_to_where_it_came_from(relay_cell, origin,
                                                      dialect):
    cell, (headers, error_class) = relay_cell, DIALECTS[dialect]
    dlt = f"{origin}.dlt"
    own = [("id", b"7"), ("tenant", b"acme")]
    put(cell.kafka, dlt, [(1, b"k1", b"\x00\xff{}",
                           own + headers(origin, 3, 41))])
    summary = imported(cell, dlt)
    assert summary["dialects"] == {dialect: 1} and summary["stored"] == 1
    [letter] = cell.letters("--where", "kind = 'foreign' and offset = 41 and "
                            "header.tenant = 'acme'")
    assert (letter["kind"], letter["topic"], letter["partition"],
            letter["error_class"], letter["state"]) == (
        "foreign", origin, 3, error_class, "pending")
    assert letter["row_id"] == f"{dlt}-1-0"
    assert letter["attempts"] == (5 if dialect == "share-group" else 1)

    assert f"{origin}[3]" in cell.dlq("replay", letter["letter_id"],
                                      "--dry-run")
    cell.dlq("replay", letter["letter_id"], "--reason", "mended")
    assert [r[2:] for r in cell.kafka.read_bytes(origin)] == [
        (b"k1", b"\x00\xff{}")]
    [sent] = cell.records(origin)
    assert sent["partition"] == 3
    assert pairs(sent) == [("id", "7"), ("tenant", "acme"),
                           ("ch_replay_count", "1"),
                           ("ch_letter_id", letter["letter_id"])]
    assert cell.sql("SELECT state FROM letters") == [("resolved",)]
    cell.dlq("replay", letter["letter_id"], "--reason", "again", status=2)


def test_an_import_says_what_it_did_and_is_done_once(relay_cell, origin):
    cell, dlt = relay_cell, f"{origin}.dlt"
    put(cell.kafka, dlt, [
        (n % 4, b"k", b"%d" % n, connect(origin, 0, n)) for n in range(5)] + [
        (0, None, None, []),
        (0, b"k", b"", spring(origin, 1, 9)[:4] + [
            ("kafka_dlt-original-partition", b"\x01")])])
    dry = imported(cell, dlt, "--dry-run")
    assert (dry["records"], dry["stored"]) == (7, 7)
    assert stored(cell) == 0 and audits(cell, "dlq.import") == []
    assert cell.sql("SELECT count(*) FROM foreign_cursors") == [(0,)]

    summary = imported(cell, dlt)
    assert summary == dry
    assert summary["dialects"] == {"connect": 5, "spring": 1, "unknown": 1}
    assert audits(cell, "dlq.import")[0][:3] == (f"topic {dlt}", "ann", "r")
    assert audits(cell, "dlq.imported")[0][3] == summary
    assert imported(cell, dlt)["records"] == 0
    again = imported(cell, dlt, "--from", "earliest")
    assert (again["repeated"], again["stored"]) == (7, 0)
    assert imported(cell, dlt, "--from", "1h")["repeated"] == 7
    assert imported(cell, dlt, "--from", "latest")["records"] == 0
    assert stored(cell) == 7

    # null key and value, and a broken header, said in the reason
    [bare] = cell.letters("--class", "unknown")
    assert bare["topic"] == "" and bare["key"] is None
    [broken] = cell.letters("--class", "BadOrder")
    assert ("header kafka_dlt-original-partition is broken" in
            broken["reason"]) and "partition" not in broken
    groups = [json.loads(x) for x in cell.dlq(
        "group", "--by", "class,kind", "--json").splitlines()]
    assert {g["class"]: g["letters"] for g in groups} == {
        "DataException": 5, "BadOrder": 1, "unknown": 1}
    assert "(no origin)" in cell.dlq("list")

    _, said = run_import(cell, cell.kafka.unique("none"), status=2)
    assert "does not exist" in said
    for wrong in (["import"], ["import", dlt, dlt], ["import", "a b"],
                  ["import", dlt, "--from", "noon"],
                  ["import", dlt, "--follow", "--dry-run"],
                  ["list", "--to", "t"], ["replay", "--to", "a b"]):
        assert cell.run_dlq(*wrong, "--reason", "r").returncode == 64, wrong


def test_letters_without_an_origin_are_sent_where_one_says(relay_cell,
                                                           origin):
    cell, dlt = relay_cell, f"{origin}.dlt"
    elsewhere = cell.kafka.unique("elsewhere")
    put(cell.kafka, dlt, [
        (0, b"a", b"1", [("h", b"v")]),
        (0, b"b", b"2", connect(cell.kafka.unique("gone"), 0, 1)),
        (0, b"c", b"3", connect(origin, 99, 1))])
    imported(cell, dlt)
    ran = cell.run_dlq("replay", "--where", "kind = 'foreign'", "--reason",
                       "r")
    assert ran.returncode == 2 and "replayed" not in ran.stdout
    assert "name no topic" in ran.stderr and "--to TOPIC" in ran.stderr
    assert "does not exist: create it, or send it elsewhere" in ran.stderr
    assert "partition 99" in ran.stderr and "which has 4" in ran.stderr
    # none of it stops a plan
    out = cell.dlq("plan", "--where", "kind = 'foreign'", "--reason", "r")
    assert "no origin" in out
    number = out.rsplit("\nplan ", 1)[1].split()[0]
    cell.dlq("approve", number, "--reason", "r", "--actor", "bob")
    cell.dlq("run", number)
    plan = json.loads(cell.dlq("plans", number, "--json"))
    assert (plan["state"], plan["held"], plan["sent"]) == ("done", 3, 0)

    to = ["--where", "kind = 'foreign'", "--to", elsewhere, "--reason", "r"]
    ran = cell.run_dlq("replay", *to)
    assert ran.returncode == 2 and "does not exist" in ran.stderr
    cell.kafka.create(elsewhere)
    cell.dlq("replay", *to, "--key", "a")
    rejected = cell.rejected()
    out = cell.dlq("plan", *to)
    assert f"to {elsewhere} (by the key)" in out
    number = out.rsplit("\nplan ", 1)[1].split()[0]
    cell.dlq("approve", number, "--reason", "r", "--actor", "bob")
    cell.dlq("run", number)
    assert json.loads(cell.dlq("plans", number, "--json"))["sent"] == 2
    assert sorted((r["key"], r["payload"]) for r in cell.records(elsewhere)
                  ) == [("a", "1"), ("b", "2"), ("c", "3")]
    ran = cell.run_dlq("replay", rejected, "--to", elsewhere, "--reason", "r")
    assert ran.returncode == 2 and "--to is for foreign" in ran.stderr


def test_what_was_not_copied_is_not_sent_as_a_tombstone(relay_cell, origin,
                                                        tmp_path):
    """A share group copies key and value only when it is told to."""
    cell, dlt = relay_cell, f"{origin}.dlt"
    put(cell.kafka, dlt, [(0, None, None, share(origin, 3, 41))])
    imported(cell, dlt)
    [letter] = cell.letters()
    for more in ([], ["--dry-run"], ["--to", origin]):
        ran = cell.run_dlq("replay", letter["letter_id"], "--reason", "r",
                           *more)
        assert ran.returncode == 2 and "neither key nor value" in ran.stderr
    assert cell.records(origin) == []
    value = tmp_path / "value"
    value.write_bytes(b"found")
    cell.dlq("edit", letter["letter_id"], "--set-file", str(value),
             "--reason", "from the topic")
    cell.dlq("replay", cell.letters()[0]["letter_id"], "--reason", "r")
    assert [(r["payload"], r["partition"]) for r in cell.records(origin)] == [
        ("found", 3)]


def test_killed_in_the_middle_and_run_again(relay_cell, origin):
    """Each record is exactly one letter, in the order of the log."""
    cell, dlt = relay_cell, f"{origin}.dlt"

    def write(first, last):
        put(cell.kafka, dlt, [
            (n % 4, b"k%d" % (n % 4), b"%d" % n, streams(origin, n % 4, n))
            for n in range(first, last)])
    write(0, 1500)
    follows = start_import(cell, dlt, "--follow")
    until_stored(cell, follows, 500)
    write(1500, 3000)
    follows.kill()
    follows.wait()
    write(3000, 3100)
    imported(cell, dlt)
    assert imported(cell, dlt)["records"] == 0
    values = [int(bytes(v)) for v, in cell.sql(
        "SELECT value FROM letters ORDER BY at, row_order, letter_id")]
    assert sorted(values) == list(range(3100))
    for part in range(4):
        mine = [v for v in values if v % 4 == part]
        assert mine == sorted(mine)
    # the killed one has left its beginning
    assert len(audits(cell, "dlq.import")) == 3
    assert len(audits(cell, "dlq.imported")) == 2


def test_followed_until_it_is_told_to_stop(relay_cell, origin):
    cell, dlt = relay_cell, f"{origin}.dlt"
    follows = start_import(cell, dlt, "--follow", "--json")
    put(cell.kafka, dlt, [(0, b"k", b"1", share(origin, 0, 1))])
    until_stored(cell, follows, 1)
    put(cell.kafka, dlt, [(2, b"k", b"2", share(origin, 0, 2))])
    until_stored(cell, follows, 2)
    follows.send_signal(signal.SIGTERM)
    out, _ = follows.communicate(timeout=60)
    assert follows.returncode == 0, out
    assert json.loads(out.splitlines()[-1])["stored"] == 2
    assert audits(cell, "dlq.imported")[0][3]["records"] == 2


def test_records_that_the_log_dropped_are_said_and_counted(relay_cell,
                                                           origin):
    cell, dlt = relay_cell, f"{origin}.dlt"

    def write(count):
        put(cell.kafka, dlt, [(0, b"k", b"v", connect(origin, 0, n))
                              for n in range(count)])
    write(3)
    assert imported(cell, dlt)["stored"] == 3
    write(5)
    cell.kafka.trim(dlt, 0, 7)
    [summary], said = run_import(cell, dlt, status=2)
    assert (summary["gone"], summary["stored"]) == (4, 1)
    assert ("the log begins at 7, behind the cursor at 3: up to 4 records "
            "were dropped before they were imported") in said
    assert audits(cell, "dlq.imported")[1][3]["gone"] == 4
    assert imported(cell, dlt)["gone"] == 0  # said once

    # made anew: another log, whatever its offsets
    cell.kafka.delete(dlt)

    def made_anew():
        try:
            cell.kafka.create(dlt)
            return cell.kafka.read(dlt) == []
        except subprocess.CalledProcessError:
            return False  # it is not gone yet
    until(made_anew, 60, "the topic is there again")
    write(2)
    [summary], said = run_import(cell, dlt)
    assert summary["stored"] == 2 and "was made anew" in said
    assert stored(cell) == 6


def test_only_what_was_committed_is_a_letter(relay_cell, origin):
    """Kafka Streams writes in transactions; their ends leave holes in the
    offsets, behind which the cursor stands."""
    cell, dlt = relay_cell, f"{origin}.dlt"
    for n, end in enumerate(["commit", "abort", "commit", "abort"]):
        put(cell.kafka, dlt, [(0, b"k", b"%d" % n, streams(origin, 0, n))],
            end)
    assert imported(cell, dlt)["records"] == 2
    assert cell.sql("SELECT convert_from(value, 'UTF8') FROM letters "
                    "ORDER BY at, row_order") == [("0",), ("2",)]
    assert cell.sql("SELECT next_offset FROM foreign_cursors "
                    "WHERE part = 0") == [(8,)]
    cell.kafka.trim(dlt, 0, 8)  # nothing of it is gone
    assert imported(cell, dlt)["records"] == 0


def test_a_loop_ends_in_quarantine(relay_cell, origin):
    """Replayed, and dead-lettered again each time, by a Connect that gives
    no context: found by the header that a replay adds."""
    cell, dlt = relay_cell, f"{origin}.dlt"
    put(cell.kafka, dlt, [(0, b"k", b"v", connect(origin, 2, 0))])
    imported(cell, dlt)
    for n in range(2):
        [letter] = cell.letters()
        assert letter["replay_count"] == n
        cell.dlq("replay", letter["letter_id"], "--reason", "r",
                 "--max-replays", "2")
        record = cell.records(origin)[n]
        put(cell.kafka, dlt, [(n, b"k", b"v", [
            (name, value.encode()) for name, value in pairs(record)])])
        summary = imported(cell, dlt)
        assert (summary["stored"], summary["came_back"]) == (1, 1)
        [letter] = cell.letters()
        assert (letter["topic"], letter["partition"]) == (origin, 2)
        assert letter["error_class"] == "unknown"
    ran = cell.run_dlq("replay", letter["letter_id"], "--reason", "r",
                       "--max-replays", "2")
    assert ran.returncode == 2 and "came back" in ran.stderr
    assert len(cell.records(origin)) == 2
    assert dict(cell.sql("SELECT letter_id::text, state FROM letters"))[
        letter["letter_id"]] == "quarantined"


def test_plans_count_what_came_back(relay_cell, origin, tmp_path):
    """The engine of the list works on them: plan, canary, edit, discard."""
    cell, dlt = relay_cell, f"{origin}.dlt"
    put(cell.kafka, dlt, [(0, b"k%d" % n, b"%d" % n, spring(origin, 1, n))
                          for n in range(4)])
    imported(cell, dlt)
    first, second, *_ = cell.letters()
    cell.dlq("discard", first["letter_id"], "--reason", "old")
    new = tmp_path / "value"
    new.write_bytes(b"mended")
    cell.dlq("edit", second["letter_id"], "--set-file", str(new), "--reason",
             "r")
    out = cell.dlq("plan", "--where", "kind = 'foreign'", "--canary", "2",
                   "--reason", "r", "--actor", "ann")
    assert "3 letters       3 keys" in out and f"to {origin}[1]" in out
    number = out.rsplit("\nplan ", 1)[1].split()[0]
    cell.dlq("approve", number, "--reason", "r", "--actor", "bob")
    cell.dlq("run", number)
    plan = json.loads(cell.dlq("plans", number, "--json"))
    assert (plan["state"], plan["sent"], plan["returned"],
            plan["canary_passed"]) == ("done", 3, 0, True)
    sent = cell.records(origin)
    assert sorted(r["payload"] for r in sent) == ["2", "3", "mended"]
    [edited] = [r for r in sent if r["payload"] == "mended"]
    assert header(edited, "ch_original_id") == second["letter_id"]

    put(cell.kafka, dlt, [(0, b"k1", b"mended", [
        (name, value.encode()) for name, value in pairs(edited)]
        + spring(origin, 1, 9))])
    assert imported(cell, dlt)["came_back"] == 1
    plan = json.loads(cell.dlq("plans", number, "--json"))
    assert (plan["sent"], plan["returned"]) == (3, 1)


def test_our_own_dead_letter_topic_doubles_nothing(relay_cell, relay):
    """What the list has as rejected is known; a letter of another database
    is imported."""
    cell = relay_cell
    relay()
    letter = cell.rejected(part=1, key=b"k", value=b"{}", reason="odd")
    dlq = f"{cell.commands}.dlq"
    [record] = until(lambda: cell.records(dlq), 60, "the record")
    summary = imported(cell, dlq)
    assert summary["dialects"] == {"countinghouse": 1}
    assert (summary["known"], summary["stored"]) == (1, 0)
    assert [x["letter_id"] for x in cell.letters()] == [letter]

    headers = [(n, v and v.encode()) for n, v in pairs(record)]
    other = [(n, b"01900000-0000-7000-8000-000000000000")
             if n == "ch_letter_id" else (n, v) for n, v in headers]
    put(cell.kafka, dlq, [(1, b"k", b"{}", other)])
    assert imported(cell, dlq)["stored"] == 1
    [x] = cell.letters("--where", "kind = 'foreign'")
    assert (x["topic"], x["partition"], x["error_class"], x["reason"]) == (
        cell.commands, 1, "unreadable", "odd")


def test_a_topic_that_refuses_a_record_holds_that_one_alone(relay_cell,
                                                            origin):
    """A compacted topic takes no record without a key."""
    cell, dlt = relay_cell, f"{origin}.dlt"
    compacted = cell.kafka.unique("compacted")
    cell.kafka.create(compacted, config=("cleanup.policy=compact",))
    put(cell.kafka, dlt, [
        (0, b"a", b"1", connect(origin, 0, 1)),
        (0, None, b"2", connect(compacted, 0, 2)),
        (0, b"c", b"3", connect(compacted, 0, 3)),
        (0, b"d", b"4", connect(origin, 0, 4))])
    imported(cell, dlt)
    out = cell.dlq("plan", "--where", "kind = 'foreign'", "--reason", "r")
    number = out.rsplit("\nplan ", 1)[1].split()[0]
    cell.dlq("approve", number, "--reason", "r", "--actor", "bob")
    cell.dlq("run", number)
    plan = json.loads(cell.dlq("plans", number, "--json"))
    assert (plan["state"], plan["held"], plan["sent"]) == ("done", 1, 3)
    assert [r["payload"] for r in cell.records(origin)] == ["1", "4"]
    assert [r["payload"] for r in cell.records(compacted)] == ["3"]
    [(detail,)] = cell.sql("SELECT detail FROM replay_plan_letters "
                           "WHERE outcome = 'held'")
    assert detail.startswith(f"{compacted} refused it: Broker: ")

    [letter] = cell.letters()
    ran = cell.run_dlq("replay", letter["letter_id"], "--reason", "r")
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert "refused it" in ran.stderr and "--to TOPIC" in ran.stderr
    cell.dlq("replay", letter["letter_id"], "--to", origin, "--reason", "r")
    assert cell.letters() == []


def test_two_imports_at_once_do_not_end_each_other(relay_cell, origin):
    cell, dlt = relay_cell, f"{origin}.dlt"
    put(cell.kafka, dlt, [(n % 4, b"k", b"%d" % n, connect(origin, 0, n))
                          for n in range(4000)])
    both = [start_import(cell, dlt, "--json") for _ in range(2)]
    said = [x.communicate(timeout=120)[0] for x in both]
    assert [x.returncode for x in both] == [0, 0], said
    assert stored(cell) == 4000
