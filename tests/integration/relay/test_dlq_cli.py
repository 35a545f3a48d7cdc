"""The dead letters' command line, as somebody uses it who is woken at night."""

import os
import pwd
import re
import subprocess

import psycopg2
import pytest

from harness.cell import OUT, ROOT
from harness.ports import free_port
from harness.relay_rows import refused_letter


def run(cell, *args, env=None, **more):
    """With other flags than the cell's; the last one counts."""
    command = cell.dlq_command(*args)
    at = command.index("dlq")
    command[at:at] = [f"--{k}={v}" for k, v in more.items()]
    return subprocess.run(command, env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60)


def test_what_is_wrong_is_one_line_and_the_verbs_own_usage(relay_cell):
    cell = relay_cell
    for args, says in (
            (("replay", "--reson", "x"), "there is no option --reson"),
            (("replay", "--reason"), "--reason needs a value"),
            (("replay", "--topic", "t", "--rate", "5"),
             "--rate is no option of replay, but of plan"),
            (("replay", "--topic", "t"), "a change needs --reason"),
            (("replay", "-x"), "-x: options are words, like --topic")):
        ran = cell.run_dlq(*args)
        lines = ran.stderr.splitlines()
        assert ran.returncode == 64 and lines[0] == f"dlq: {says}", ran.stderr
        assert lines[1].startswith("  replay   <letter>...|filter --reason R")
        assert lines[-1] == (
            "its options: outbox-relay dlq replay --help; all of it: dlq "
            "--help, or man outbox-relay")
        assert len(lines) < 10 and "discard" not in ran.stderr
    # it has its plan's
    ran = cell.run_dlq("run", "1", "--reason", "r")
    assert ran.returncode == 64
    assert ran.stderr.startswith("dlq: --reason is no option of run, but of ")
    for args, says in ((("lst",), "there is no verb lst"), ((), "what to do?")):
        ran = cell.run_dlq(*args)
        lines = ran.stderr.splitlines()
        assert ran.returncode == 64 and lines[0] == f"dlq: {says}"
        assert lines[1].startswith("verbs: list show ") and len(lines) == 3


def test_each_verb_has_a_page_of_its_own():
    program = str(OUT / "bin" / "outbox-relay")

    def page(*args):
        return subprocess.run([program, *args, "--help"], text=True, check=True,
                              stdout=subprocess.PIPE, timeout=60).stdout
    whole = page("dlq")
    verbs = re.findall(r"^  ([a-z]+) ", whole, re.MULTILINE)
    assert len(set(verbs)) == 18
    source = (ROOT / "services/outbox-relay/dlq.c").read_text()
    for verb in set(verbs):
        shown = page("dlq", verb)
        assert f"\n  {verb} " in shown and f" dlq {verb}" in shown, shown
        assert "\nexample:\n" in shown and "\n  cancel " not in shown or (
            verb == "cancel"), shown
        # of each option that it takes, and of no other
        takes = re.search(r'\{"%s", [^}]*?,\s+((?:[A-Z]+ )*(?:"\w+"|[A-Z]+))\}'
                          % verb, source).group(1)
        takes = takes.replace("FILTER", '"tcksSwl"').replace("CHANGE", '"ran"')
        letters = set(takes) - set('" ')
        words = {re.search(r"""\{"([a-z-]+)", [01], NULL, '%s'\}""" % x,
                           source).group(1) for x in letters}
        said = set(re.findall(r"^  --([a-z-]+)", shown, re.MULTILINE))
        assert said == words, verb
    assert page("dlq", "plns") == whole


def test_who_it_was_is_known_without_user(relay_cell):
    cell = relay_cell
    letter = cell.rejected()
    env = {k: v for k, v in os.environ.items() if k != "USER"}
    ran = run(cell, "discard", letter, "--reason", "r", env=env)
    assert ran.returncode == 0, ran.stderr
    assert cell.sql("SELECT DISTINCT actor FROM audit_events") == [
        (pwd.getpwuid(os.getuid()).pw_name,)]


def test_a_replay_warns_of_nothing_that_we_chose(relay_cell):
    ran = relay_cell.run_dlq("replay", relay_cell.rejected(), "--reason", "r")
    assert ran.returncode == 0 and "CONFWARN" not in ran.stderr


def test_dry_runs_look_for_the_topics(relay_cell):
    cell = relay_cell
    gone = cell.prefix + "gone"
    letters = [refused_letter(cell, gone), refused_letter(cell, cell.stock, key=b"l"),
               refused_letter(cell, cell.stock, key=b"m", part=77)]
    ran = cell.run_dlq("plan", *letters, "--dry-run")
    assert ran.returncode == 2
    assert (f"to {gone} (by the key) (this topic does not exist: create it "
            "first)") in ran.stdout
    assert f"to {cell.stock} (by the key) (it exists, " in ran.stdout
    assert (f"to {cell.stock}[77] (this topic has no such partition, but "
            in ran.stdout)
    assert "2 of these targets cannot take what is planned" in ran.stderr
    assert cell.sql("SELECT count(*) FROM replay_plans") == [(0,)]

    ran = cell.run_dlq("replay", *letters, "--dry-run")
    assert ran.returncode == 2
    assert [x.split()[2] for x in ran.stdout.splitlines()] == [letters[1]]
    assert (f"{letters[0]}: refused: to {gone}: this topic does not exist"
            in ran.stderr)
    assert f"{letters[2]}: refused: to {cell.stock}: " in ran.stderr


def test_dry_runs_with_postgresql_alone_say_what_was_not_looked_for(relay_cell):
    cell = relay_cell
    letters = [refused_letter(cell, cell.stock), refused_letter(cell, "not legal", key=b"l")]
    away = {"bootstrap": f"127.0.0.1:{free_port()}"}
    ran = run(cell, "plan", *letters, "--dry-run", **away)
    assert ran.returncode == 2
    assert f"to {cell.stock} (by the key)\n" in ran.stdout
    assert "to not legal (by the key) (no topic can be that" in ran.stdout
    assert "whether they exist was not checked: topic " in ran.stderr
    ran = run(cell, "replay", letters[0], "--dry-run", **away)
    assert ran.returncode == 0 and f"would replay  {letters[0]}" in ran.stdout
    assert "whether they exist was not checked" in ran.stderr


def test_what_fails_says_what_to_look_at(relay_cell):
    cell = relay_cell
    letter = cell.rejected()
    away = run(cell, "replay", letter, "--reason", "r",
               bootstrap=f"127.0.0.1:{free_port()}")
    assert away.returncode == 1 and [
        x.split(": ")[-1] for x in away.stderr.splitlines()][1:] == [
        "do the brokers of --bootstrap answer? --log_level=info before dlq "
        "shows what was tried"]
    ran = cell.run_dlq("discard", letter, "--reason", "r", role="relay")
    assert ran.returncode == 1
    assert "use one that is in role ch_operator" in ran.stderr
    ran = cell.run_dlq("plan", letter, "--reason", "r", role="reader")
    assert "use one that is in role ch_operator" in ran.stderr
    for verb, of in (("bury", "hook"), ("approve", "1")):
        ran = cell.run_dlq(verb, of, "--reason", "r", role="relay")
        assert ran.returncode == 2, ran.stderr
        assert "use one that is in role ch_operator" in ran.stderr
    ran = run(cell, "list", schema="nowhere")
    assert ran.returncode == 1 and "name of --schema (nowhere)" in ran.stderr
    url = cell.cell.url("operator", cell.database).split("?")[0]
    ran = run(cell, "list", database_url=url)
    assert ran.returncode == 69 and "?passfile=/path" in ran.stderr


def test_too_large_is_one_class(relay_cell):
    cell = relay_cell
    before = refused_letter(cell, cell.stock, kind="MSG_SIZE_TOO_LARGE")
    now = refused_letter(cell, cell.stock, kind="too_large", key=b"l")
    both = {before, now}
    for name in ("MSG_SIZE_TOO_LARGE", "too_large"):
        assert {x["letter_id"] for x in cell.letters("--class", name)} == both
        for where in (f"class = '{name}'", f"class in ('x', '{name}')"):
            found = cell.letters("--where", where)
            assert {x["letter_id"] for x in found} == both
            assert {x["error_class"] for x in found} == {"too_large"}
        assert cell.letters("--where", f"class != '{name}'") == []
    groups = cell.dlq("group", "--by", "class").splitlines()
    assert len(groups) == 2 and groups[1].split()[0] == "2"
    edited = cell.run_dlq("edit", before, "--set-file", os.devnull,
                          "--reason", "r")
    assert edited.returncode == 0


def test_a_replay_by_hand_says_what_it_passes(relay_cell):
    cell = relay_cell
    first = cell.rejected(key=b"a", value=b"1")
    cell.rejected(key=b"a", value=b"2")
    last = cell.rejected(key=b"a", value=b"3")
    other = cell.rejected(key=b"b", value=b"1")
    assert "overtaken" not in cell.run_dlq("replay", other, "--reason",
                                           "r").stderr
    assert cell.run_dlq("replay", first, "--dry-run").stderr == ""
    ran = cell.run_dlq("replay", last, "--dry-run")
    assert ran.returncode == 0 and ran.stderr == (
        "dlq: 2 older open letters of these keys are not named and would be "
        f"overtaken, the first of them {first}: decide them first, or name "
        "them too\n")
    ran = cell.run_dlq("replay", last, "--reason", "r")
    assert ran.returncode == 0
    assert f"are overtaken, the first of them {first}: " in ran.stderr


def test_a_long_run_says_how_far_it_is(relay_cell):
    cell = relay_cell
    for n in range(6):
        cell.rejected(key=b"%d" % n)
    cell.dlq("plan", "--topic", cell.commands, "--rate", "2", "--reason", "r")
    plan, = cell.sql("SELECT plan_id FROM replay_plans")[0]
    cell.dlq("approve", str(plan), "--reason", "r")
    ran = cell.run_dlq("run", str(plan), "--quiet")
    assert ran.returncode == 0 and "  sent\n" not in ran.stdout
    said = ran.stderr.splitlines()
    assert " of 6, " in said[0] and "/s, " in said[0]
    assert said[0].endswith(" left"), ran.stderr
    assert said[-1].startswith("dlq: 6 of 6, ")


def test_dry_runs_take_no_number(relay_cell):
    cell = relay_cell
    letter = cell.rejected()
    for _ in range(3):
        cell.dlq("plan", letter, "--dry-run")
    cell.dlq("plan", letter, "--reason", "r")
    assert cell.sql("SELECT plan_id FROM replay_plans") == [(1,)]
    with cell.cell.connect("operator", cell.database) as con:
        con.autocommit = False
        with con.cursor() as cur, pytest.raises(
                psycopg2.Error, match="was a dry run: it is not stored"):
            cur.execute("SET LOCAL search_path = ch")
            cur.execute("SET LOCAL countinghouse.dry_run = 'on'")
            cur.execute("SELECT make_plan('{}', 'ann', 'r', 'off', NULL, NULL, "
                        "0, 0, 5, 'replay')")
            con.commit()
    assert cell.sql("SELECT count(*) FROM replay_plans") == [(1,)]
