"""What was approved is what runs, and no letter is decided without its audit
row: as the role that people have, through psql, the command line and the API."""

import json

import psycopg2
import pytest

from harness.wait import until


@pytest.fixture
def person(relay_cell):
    """psql as ch_operator."""
    db = relay_cell.cell.connect("operator", relay_cell.database)

    def run(text, args=()):
        with db.cursor() as cur:
            cur.execute(text, args)
            return cur.fetchall() if cur.description else None
    yield run
    db.close()


def planned(cell, *args):
    out = cell.dlq("plan", "--reason", "mended", "--actor", "ann", *args)
    return out.rsplit("\nplan ", 1)[1].split()[0]


def approved(cell, *args):
    number = planned(cell, *args)
    cell.dlq("approve", number, "--reason", "looks right", "--actor", "bob")
    return number


def shown(cell, number):
    return json.loads(cell.dlq("plans", number, "--json"))


def sent_letters(cell):
    return [dict(zip(r["headers"][::2], r["headers"][1::2]))["ch_letter_id"]
            for r in cell.records(cell.commands)]


def states(cell):
    return dict(cell.sql("SELECT letter_id::text, state FROM letters"))


def audits(cell, *actions):
    return cell.sql("SELECT action, actor, subject, reason, after FROM "
                    "audit_events WHERE action = ANY(%s) ORDER BY event_id",
                    (list(actions),))


DENIED = psycopg2.errors.InsufficientPrivilege
NOT_NOW = psycopg2.errors.ObjectNotInPrerequisiteState


# ---- plans

MAKE_PLAN = ("SELECT make_plan('{}', 'ann', 'r', 'off', NULL, NULL, 0, 0, 5, "
             "'replay')")


def test_plans_are_made_by_a_function_under_the_rule_of_the_owner(
        relay_cell, person):
    cell = relay_cell
    for wrong in ("INSERT INTO replay_plans (selection, reason, planned_by, "
                  "replays_max) VALUES ('{}', 'r', 'ann', 5)",
                  "UPDATE plan_settings SET two_person = 'off'",
                  "SELECT set_two_person('off', 'ann', 'r')"):
        with pytest.raises(DENIED):
            person(wrong)

    def made():
        [(plan,)] = person(MAKE_PLAN)
        return cell.sql("SELECT planned_by, planned_role, two_person FROM "
                        "replay_plans WHERE plan_id = %s", (plan,))
    assert made() == [("ann", "ch_operator", "off")]
    letter = cell.rejected()
    before = planned(cell, letter)
    # by the schema's owner, whatever a relay's configuration says
    set_rule = "SELECT set_two_person('role', 'dba', 'policy 7'%s)"
    assert cell.sql(set_rule % ", dry_run => true") == [("off",)]
    assert cell.sql(set_rule % "") == [("off",)]
    assert cell.sql("SELECT actor, reason, before, after FROM audit_events "
                    "WHERE action = 'set_two_person'") == [
        ("dba", "policy 7", "off", "role")]
    assert made() == [("ann", "ch_operator", "role")]
    with pytest.raises(psycopg2.errors.InvalidParameterValue):
        cell.sql("SELECT set_two_person('none', 'dba', 'r')")
    # nothing is decided without a plan
    with pytest.raises(DENIED, match="not decided by one person alone"):
        person(f"SELECT decide_letter('{letter}', 'discarded', 'a', 'r', 0)")
    ran = cell.run_dlq("discard", letter, "--reason", "r")
    assert ran.returncode != 0 and "let somebody else approve it" in ran.stderr
    assert states(cell)[letter] == "pending"
    # of a plan that was made before, too
    ran = cell.run_dlq("approve", before, "--reason", "r", "--actor", "bob")
    assert ran.returncode == 2 and "two roles are asked for" in ran.stderr


def test_the_rule_of_the_owner_is_kept_before_anything_is_sent(
        relay_cell, person, api):
    """The configuration says off."""
    cell, asked = relay_cell, api()
    letter = cell.rejected()
    number = approved(cell, letter)
    assert asked.get("status")["two_person"] == "off"
    cell.sql("SELECT set_two_person('actor', 'dba', 'policy 7')")
    assert asked.get("status")["two_person"] == "actor"
    ran = cell.run_dlq("replay", letter, "--reason", "r", "--actor", "eve")
    assert ran.returncode == 2 and "let somebody else approve" in ran.stderr
    for what in ("replay", "discard"):
        alone = asked.post(f"letters/{what}", {"ids": [letter], "reason": "r"},
                           status=403)
        assert alone["error"]["code"] == "two_people"
    # what locks the letter asks too: the rule may come in between
    with pytest.raises(DENIED, match="not decided by one person alone"):
        person(f"SELECT claim_letter('{letter}', 'eve', 'r')")
    # and so does the run of what was approved by less
    ran = cell.run_dlq("run", number)
    assert ran.returncode == 2 and "plan it again" in ran.stderr
    asked.post(f"plans/{number}/run", {}, status=409)
    with pytest.raises(DENIED, match="more is asked for now"):
        person(f"SELECT turn_plan({number}, 'running', '', 'eve', 'r')")
    assert cell.records(cell.commands) == []
    assert states(cell) == {letter: "pending"}
    assert audits(cell, "dlq.replay", "dlq.replayed") == []


def test_the_rule_waits_for_the_letter_that_is_being_decided(relay_cell,
                                                             person):
    cell = relay_cell
    letter = cell.rejected()
    other = cell.cell.connect("owner", cell.database)
    with other.cursor() as cur:
        cur.execute("SET lock_timeout = '100ms'")
        person("BEGIN")
        assert person(f"SELECT * FROM claim_letter('{letter}', 'ann', 'r')") == [
            ("pending", 0)]
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            cur.execute("SELECT ch.set_two_person('role', 'dba', 'r')")
        person("COMMIT")
        cur.execute("SELECT ch.set_two_person('role', 'dba', 'r')")
    other.close()


@pytest.mark.parametrize("who,why", [("ann", "gel\udcf6scht"),
                                     ("\udcf6", "r")])
def test_who_and_why_that_cannot_be_stored_send_nothing(relay_cell, person,
                                                        who, why):
    """In latin-1."""
    cell = relay_cell
    letter = cell.rejected()
    ran = cell.run_dlq("replay", letter, "--actor", who, "--reason", why)
    assert ran.returncode == 64 and "UTF-8" in ran.stderr
    for who, why in (("", "r"), ("ann", "")):
        with pytest.raises(psycopg2.errors.InvalidParameterValue):
            person("SELECT claim_letter(%s, %s, %s)", (letter, who, why))
    assert cell.records(cell.commands) == []
    assert states(cell) == {letter: "pending"}


def test_letters_are_imported_by_a_function_that_the_trail_has_seen(
        relay_cell, person):
    cell = relay_cell
    letter = ("gen_random_uuid(), gen_random_uuid(), 't', 0, 7, 'unknown', "
              "'', NULL, NULL, NULL, NULL, 'x', '{}', '{}', 'c', 'r', 1, "
              "now(), NULL, 2, 'ann'")
    cursor = "gen_random_uuid(), 0, 'c', 't', 8, now(), false, 'ann'"
    for wrong in ("INSERT INTO foreign_letters SELECT * FROM foreign_letters",
                  "INSERT INTO foreign_cursors SELECT * FROM foreign_cursors",
                  "UPDATE foreign_cursors SET next_offset = 9"):
        with pytest.raises(DENIED):
            person(wrong)
    for call in (f"import_letter({letter})", f"move_import({cursor})"):
        with pytest.raises(NOT_NOW, match="has not begun an import of topic t"):
            person(f"SELECT {call}")
    person("SELECT audit_letters('dlq.import', 'topic t', 'ann', 'r', '{}')")
    assert person(f"SELECT * FROM import_letter({letter})") == [
        (True, False, False)]
    person(f"SELECT move_import({cursor})")
    assert cell.sql("SELECT imported_by, imported_role, dlq_offset, "
                    "replay_count FROM foreign_letters JOIN letter_states "
                    "USING (letter_id)") == [("ann", "ch_operator", 7, 2)]


def test_an_approved_plan_is_not_extended_nor_moved(relay_cell, person):
    cell = relay_cell
    first, other = cell.rejected(key=b"a"), cell.rejected(key=b"b")
    number = approved(cell, first)
    for wrong in (
            "INSERT INTO replay_plan_letters (plan_id, place, letter_id) "
            f"VALUES ({number}, 2, '{other}')",
            f"UPDATE replay_plan_letters SET letter_id = '{other}'",
            "UPDATE replay_plan_letters SET outcome = 'refused'",
            "DELETE FROM replay_plan_letters",
            "UPDATE replay_plans SET next_place = 2",
            "UPDATE replay_plans SET letters = 2",
            "UPDATE replay_plans SET canary_passed = true",
            "UPDATE replay_plans SET state = 'running'",
            "UPDATE replay_plans SET approved_digest = ''",
            "UPDATE replay_plans SET left_digest = ''"):
        with pytest.raises(DENIED):
            person(wrong)
    for wrong in (f"choose_letters({number}, ARRAY['{other}']::uuid[])",
                  f"end_step({number}, 1, 'refused', 'r')",
                  f"turn_plan({number}, 'done', '', 'ann', 'r')",
                  f"pass_canary({number}, 'ann')",
                  f"approve_plan({number}, 'cyd', 'r')"):
        with pytest.raises(NOT_NOW):
            person(f"SELECT {wrong}")
    assert person(f"SELECT begin_page({number}, 1, ARRAY['{first}']::uuid[])"
                  ) == [(False,)]
    cell.dlq("run", number)
    assert sent_letters(cell) == [first]
    done = shown(cell, number)
    assert (done["state"], done["letters"], done["sent"]) == ("done", 1, 1)
    assert states(cell)[other] == "pending"


def test_a_planned_plan_has_its_letters_once_and_from_its_planner(
        relay_cell, person):
    cell = relay_cell
    letters = [cell.rejected() for _ in range(2)]
    number = planned(cell, letters[0])
    more = f"SELECT choose_letters(%s, ARRAY['{letters[1]}']::uuid[])"
    with pytest.raises(NOT_NOW):
        person(more, (number,))
    # one that has none is not approved, and another's is not filled
    [(empty,)] = person(MAKE_PLAN)
    with pytest.raises(NOT_NOW, match="has 0 letters"):
        person(f"SELECT approve_plan({empty}, 'bob', 'r')")
    cell.sql("UPDATE replay_plans SET planned_role = 'ch_other' "
             "WHERE plan_id = %s", (empty,))
    with pytest.raises(NOT_NOW, match="by its planner"):
        person(more, (empty,))
    assert cell.sql("SELECT count(*) FROM replay_plan_letters") == [(1,)]


@pytest.mark.parametrize("damage", [
    "INSERT INTO replay_plan_letters (plan_id, place, letter_id, rest) "
    "VALUES (%(plan)s, 3, %(other)s, '')",
    "UPDATE replay_plan_letters SET letter_id = %(other)s WHERE place = 2",
    "UPDATE replay_plan_letters SET letter_id = %(other)s, rest = '' "
    "WHERE place = 2",
    "UPDATE replay_plan_letters SET place = place + 10 WHERE place = 1; "
    "UPDATE replay_plan_letters SET place = 1 WHERE place = 2; "
    "UPDATE replay_plan_letters SET place = 2 WHERE place = 11",
], ids=["more", "another", "another_at_the_end", "order"])
def test_letters_changed_by_the_owner_after_the_approval_do_not_run(
        relay_cell, damage):
    cell = relay_cell
    letters = [cell.rejected(value=b"%d" % n) for n in range(2)]
    other = cell.rejected(value=b"other")
    number = approved(cell, *letters)
    cell.sql("UPDATE replay_plans SET letters = 3")
    cell.sql(damage, {"plan": number, "other": other})
    ran = cell.run_dlq("run", number)
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert "is not what was approved (2 letters)" in ran.stderr
    sent = sent_letters(cell)
    assert sent == letters[:len(sent)] and other not in sent
    assert shown(cell, number)["state"] == "stopped"


# ---- letters

def test_letters_are_decided_by_functions_alone(relay_cell, person):
    cell = relay_cell
    letter, second = cell.rejected(), cell.rejected()
    cell.dlq("edit", second, "--set-file", "/etc/hostname", "--reason", "r")
    for wrong in (
            "INSERT INTO letter_states (letter_id, state) "
            f"VALUES ('{letter}', 'discarded')",
            f"INSERT INTO letter_states (letter_id) VALUES ('{letter}')",
            "UPDATE letter_states SET state = 'discarded', held = NULL",
            "INSERT INTO letter_replays (letter_id, replay_count, topic, part, "
            f"log_offset, actor, reason) VALUES ('{letter}', 1, 't', 0, 0, "
            "'a', 'r')",
            "INSERT INTO letter_edits SELECT * FROM letter_edits",
            "INSERT INTO audit_events (actor, action, subject, reason) "
            "VALUES ('bob', 'dlq.approve', 'plan 1', 'r')",
            "UPDATE webhook_deliveries SET done_at = NULL",
            "INSERT INTO webhook_keys (endpoint, key_digest) VALUES ('e', '')",
            f"SELECT put_delivery_back('{letter}', 1)"):
        with pytest.raises(DENIED):
            person(wrong)
    before = cell.sql("SELECT count(*) FROM audit_events")
    decide = f"SELECT decide_letter('{letter}', %s, %s, %s, 1%s)"
    sent = ", 't', 0, 7"
    for what, who, why, where in (
            ("discarded", "", "r", ""), ("discarded", "ann", "", ""),
            ("replayed", "ann", "r", ""), ("resolved", "ann", "r", ""),
            ("discarded", "ann", "r", sent), ("pending", "ann", "r", ""),
            ("edited", "ann", "r", "")):
        with pytest.raises(psycopg2.errors.InvalidParameterValue):
            person(decide.replace("1%s", "1" + where), (what, who, why))
    with pytest.raises(psycopg2.errors.InvalidParameterValue):
        person("SELECT audit_letters('dlq.approve', 'plan 1', 'bob', 'r', "
               "'{}')")
    with pytest.raises(psycopg2.errors.InvalidParameterValue):
        person(f"SELECT edit_letter('{letter}', gen_random_uuid(), 'x', "
               "'{\"at\":0,\"removed\":\"\",\"inserted\":\"79\"}', 'a', 'r')")
    with pytest.raises(psycopg2.errors.NoDataFound):
        person("SELECT decide_letter(gen_random_uuid(), 'discarded', 'a', "
               "'r', 0)")
    with pytest.raises(NOT_NOW, match="is edited"):
        person(f"SELECT decide_letter('{second}', 'discarded', 'a', 'r', 0)")
    assert cell.sql("SELECT count(*) FROM audit_events") == before

    # tables of the caller's own do not stand in their place
    for table in ("audit_events", "letter_states", "letters", "letter_edits"):
        person(f"CREATE TEMP TABLE {table} (LIKE ch.{table} INCLUDING ALL)")
    person("SELECT ch." + decide.replace("1%s", "0")[7:],
           ("discarded", "ann", "test data"))
    assert states(cell)[letter] == "discarded"
    [(role, after)] = cell.sql(
        "SELECT db_role, after FROM audit_events WHERE subject = %s",
        (letter,))
    assert (role, after["state"]) == ("ch_operator", "discarded")
    with pytest.raises(NOT_NOW):
        person("SELECT ch." + decide.replace("1%s", "0")[7:],
               ("discarded", "ann", "twice"))


def test_the_relay_decides_no_letter(relay_cell):
    """What its role may say of one: that an endpoint has taken it."""
    cell = relay_cell
    letter = cell.rejected()
    cell.sql("INSERT INTO letter_states (letter_id, state) VALUES "
             "(%s, 'resolved')", (letter,))
    db = cell.cell.connect("relay", cell.database)
    with db.cursor() as cur:
        for wrong in ("UPDATE ch.letter_states SET state = 'pending'",
                      "SELECT ch.decide_letter(gen_random_uuid(), "
                      "'discarded', 'ann', 'r', 0)"):
            with pytest.raises(DENIED):
                cur.execute(wrong)
        for state, later in (("resolved", "resolved"), ("pending", "pending"),
                             ("replayed", "replayed")):
            cell.sql("UPDATE letter_states SET state = %s", (state,))
            # a delivery of its own making, of a letter that is no endpoint's
            cur.execute(
                "INSERT INTO ch.webhook_deliveries (endpoint, event_id, "
                "webhook_id, key_digest, aggregatetype, type, at, letter_id) "
                "VALUES ('e', %s, 'w', '', 'a', 't', now(), %s) "
                "RETURNING ch.letter_delivered(delivery_id)", (state, letter))
            cur.execute("SELECT ch.letter_delivered(delivery_id) FROM "
                        "ch.webhook_deliveries")
            assert cell.sql("SELECT state FROM letter_states") == [(later,)]
    db.close()


def test_a_letter_is_not_decided_for_a_plan_that_does_not_ask(
        relay_cell, person):
    cell = relay_cell
    letter, other = cell.rejected(), cell.rejected()
    number = approved(cell, letter)
    cell.sql("UPDATE replay_plans SET state = 'running'")
    for which, what in ((other, "'replayed', 'a', 'r', 1, 't', 0, 7"),
                        (letter, "'discarded', 'a', 'r', 0, NULL, NULL, NULL")):
        with pytest.raises(NOT_NOW, match="plan"):
            person(f"SELECT decide_letter('{which}', {what}, NULL, NULL, NULL, "
                   f"{number})")
    with pytest.raises(NOT_NOW, match="was not sent"):
        person(f"SELECT end_step({number}, 1, 'sent', '')")
    assert shown(cell, number)["next_place"] == 1


# ---- many at once

def strict(cell, rule="actor"):
    flags = cell.flags
    cell.flags = lambda **more: {**flags(), "dlq_two_person": rule, **more}


def test_nobody_discards_alone_under_two_person(relay_cell):
    cell = relay_cell
    letters = [cell.rejected(key=b"k%d" % n) for n in range(3)]
    strict(cell)
    for which in (["--where", "attempts >= 0"], letters[:1]):
        for how in (["--reason", "r"], ["--dry-run"]):
            ran = cell.run_dlq("discard", *which, *how)
            assert (ran.returncode, ran.stdout) == (2, "")
            assert "nobody discards alone; dlq plan --discard" in ran.stderr
            assert "lacks the right" not in ran.stderr
    assert set(states(cell).values()) == {"pending"}
    # Kafka is not asked for
    flags = cell.flags
    cell.flags = lambda **more: {**flags(), "bootstrap": "127.0.0.1:1"}
    where = ["--where", "key in ('k0', 'k1')"]
    cell.dlq("plan", "--discard", "--canary", "1", *where, "--reason", "r",
             status=64)
    dry = cell.dlq("plan", "--discard", *where, "--dry-run")
    assert "to be discarded, never to be sent" in dry
    number = planned(cell, "--discard", *where)
    ran = cell.run_dlq("approve", number, "--reason", "r", "--actor", "ann")
    assert ran.returncode == 2 and "two people are asked for" in ran.stderr
    assert "lacks the right" not in ran.stderr
    cell.dlq("run", number, status=2)
    assert "to be discarded" in cell.dlq(
        "approve", number, "--reason", "exported", "--actor", "bob")
    cell.sql("INSERT INTO outbox_retry (blocked_by, source, row_id, topic) "
             "VALUES (%s, 's', 'r', 't')", (letters[0],))
    assert f"{letters[0]}  discarded" in cell.dlq("run", number, "--actor",
                                                  "cyd")
    done = shown(cell, number)
    assert (done["kind"], done["state"], done["discarded"], done["sent"]) == (
        "discard", "done", 2, 0)
    assert [states(cell)[x] for x in letters] == [
        "discarded", "discarded", "pending"]
    assert [(a, w, s, after["plan"]) for a, w, s, _, after in
            audits(cell, "dlq.discard")] == [
        ("dlq.discard", "cyd", x, int(number)) for x in letters[:2]]
    assert audits(cell, "dlq.approve")[0][4]["kind"] == "discard"


def test_an_edit_under_two_person_leaves_nothing_to_one_person(relay_cell,
                                                               tmp_path):
    cell = relay_cell
    letter = cell.rejected()
    strict(cell)
    text = tmp_path / "value"
    text.write_bytes(b"{}")
    cell.dlq("edit", letter, "--set-file", str(text), "--reason", "typo")
    [edited] = [x["letter_id"] for x in cell.letters()]
    for verb in ("replay", "discard"):
        ran = cell.run_dlq(verb, edited, "--reason", "r")
        assert ran.returncode == 2 and "alone" in ran.stderr
    assert states(cell) == {letter: "edited", edited: "pending"}
    number = approved(cell, edited)
    cell.dlq("run", number)
    assert sent_letters(cell) == [edited]


def edited(cell, tmp_path, letter, actor, role="operator"):
    text = tmp_path / "value"
    text.write_bytes(b"{}")
    cell.dlq("edit", letter, "--set-file", str(text), "--reason", "typo",
             "--actor", actor, role=role)
    (made,), = cell.sql("SELECT letter_id::text FROM letter_edits "
                        "WHERE original_id = %s", (letter,))
    return made


def test_who_wrote_a_message_does_not_approve_it(relay_cell, tmp_path):
    """Not by a plan that somebody else has made, either."""
    cell = relay_cell
    letter = cell.rejected(key=b"a")
    strict(cell)
    made = edited(cell, tmp_path, letter, "ann")
    number = planned(cell, made)  # by ann: as ever
    ran = cell.run_dlq("approve", number, "--reason", "r", "--actor", "ann")
    assert ran.returncode == 2 and "two people are asked for" in ran.stderr
    out = cell.dlq("plan", made, "--reason", "mended", "--actor", "bob")
    number = out.rsplit("\nplan ", 1)[1].split()[0]
    ran = cell.run_dlq("approve", number, "--reason", "r", "--actor", "ann")
    assert ran.returncode == 2, ran.stdout
    assert f"letter {made} of plan {number} was edited by ann" in ran.stderr
    assert "let somebody else approve the plan" in ran.stderr
    assert shown(cell, number)["state"] == "planned"
    cell.dlq("approve", number, "--reason", "r", "--actor", "cyd")
    cell.dlq("run", number)
    assert sent_letters(cell) == [made]


def test_what_is_discarded_may_be_approved_by_who_wrote_it(relay_cell,
                                                           tmp_path):
    cell = relay_cell
    letter = cell.rejected()
    strict(cell)
    made = edited(cell, tmp_path, letter, "ann")
    out = cell.dlq("plan", "--discard", made, "--reason", "junk", "--actor",
                   "bob")
    number = out.rsplit("\nplan ", 1)[1].split()[0]
    cell.dlq("approve", number, "--reason", "r", "--actor", "ann")
    cell.dlq("run", number)
    assert states(cell) == {letter: "discarded", made: "discarded"}


def test_a_role_approves_no_message_that_it_wrote(relay_cell, tmp_path):
    """Under another name, too."""
    cell = relay_cell
    letter = cell.rejected()
    strict(cell, "role")
    made = edited(cell, tmp_path, letter, "ann")
    out = cell.dlq("plan", made, "--reason", "mended", "--actor", "bob",
                   role="owner")
    number = out.rsplit("\nplan ", 1)[1].split()[0]
    ran = cell.run_dlq("approve", number, "--reason", "r", "--actor", "cyd")
    assert ran.returncode == 2 and "(database role ch_operator)" in ran.stderr


def forged(cell, actor, role="operator"):
    """A record that nobody has seen in a dead-letter topic; its letter."""
    db = cell.cell.connect(role, cell.database)
    with db.cursor() as cur:
        cur.execute("SELECT ch.audit_letters('dlq.import', 'topic t', %s, 'r', "
                    "'{}')", (actor,))
        cur.execute("SELECT gen_random_uuid()::text")
        (letter,), = cur.fetchall()
        cur.execute(
            "SELECT stored FROM ch.import_letter(%s, gen_random_uuid(), 't', 0, "
            "7, 'spring', %s, 0, 7, now(), 'k', 'pay me', '{}', '{}', 'c', "
            "'r', 1, now(), NULL, 0, %s)", (letter, cell.commands, actor))
        assert cur.fetchall() == [(True,)]
    db.close()
    return letter


@pytest.mark.parametrize("rule,approver,said", [
    ("actor", "bob", "was imported by bob"),
    ("role", "cyd", "imported by bob (database role ch_operator)"),
])
def test_who_imported_a_message_does_not_approve_it(relay_cell, rule, approver,
                                                    said):
    """Whoever has planned it in good faith: an import is one person's word for
    what stood in a topic."""
    cell = relay_cell
    letter = forged(cell, "bob")
    strict(cell, rule)
    out = cell.dlq("plan", letter, "--reason", "mended", "--actor", "ann",
                   role="owner")
    number = out.rsplit("\nplan ", 1)[1].split()[0]
    ran = cell.run_dlq("approve", number, "--reason", "r", "--actor", approver)
    assert ran.returncode == 2, ran.stdout
    assert f"letter {letter} of plan {number} " in ran.stderr
    assert said in ran.stderr
    assert shown(cell, number)["state"] == "planned"
    if rule == "actor":
        cell.dlq("approve", number, "--reason", "r", "--actor", "cyd")


def test_an_edit_of_an_import_is_not_approved_by_its_importer(relay_cell,
                                                              tmp_path):
    cell = relay_cell
    letter = forged(cell, "bob")
    strict(cell)
    made = edited(cell, tmp_path, letter, "ann")
    number = planned(cell, made)
    ran = cell.run_dlq("approve", number, "--reason", "r", "--actor", "bob")
    assert ran.returncode == 2
    assert f"letter {made} of plan {number} was imported by bob" in ran.stderr


def test_each_call_says_what_it_meant_and_how_much_it_did(relay_cell):
    cell = relay_cell
    letters = [cell.rejected(key=b"k%d" % n) for n in range(5)]
    cell.dlq("discard", "--where", "key = 'k0'", "--dry-run")
    cell.dlq("replay", "--where", "key = 'none'", "--reason", "r", status=2)
    assert audits(cell, "dlq.replayed", "dlq.discarded") == []
    cell.dlq("discard", "--where", "key in ('k0', 'k1')", "--reason", "junk",
             "--actor", "ann")
    cell.dlq("discard", letters[1], letters[2], "--reason", "more", status=2)
    cell.dlq("replay", "--topic", cell.commands, "--reason", "go", "--actor",
             "bob")
    rows = audits(cell, "dlq.replayed", "dlq.discarded")
    assert [(a, w, s, r) for a, w, s, r, _ in rows][0::2] == [
        ("dlq.discarded", "ann", "2 letters", "junk"),
        ("dlq.replayed", "bob", "2 letters", "go")]
    counts = [after["counts"] for *_, after in rows]
    assert counts == [
        {"found": 2, "done": 2, "refused": 0, "failed": 0},
        {"found": 2, "done": 1, "refused": 1, "failed": 0},
        {"found": 2, "done": 2, "refused": 0, "failed": 0}]
    assert [after["selection"] for *_, after in rows] == [
        {"where": "key in ('k0', 'k1')", "state": "pending"},
        {"named": 2}, {"topic": cell.commands, "state": "pending"}]


def test_a_replayed_letter_is_sent_again_on_purpose_only(relay_cell):
    cell = relay_cell
    letter = cell.rejected(key=b"a")
    cell.dlq("replay", letter, "--reason", "go")
    for args in ([letter], ["--where", "state = 'replayed'"]):
        ran = cell.run_dlq("replay", *args, "--reason", "r")
        assert ran.returncode == 2, ran.stdout
        assert "it was replayed already, 1 times" in ran.stderr
        assert "--again" in ran.stderr
    number = approved(cell, letter)
    ran = cell.run_dlq("run", number)
    assert f"{letter}  refused: it was replayed already" in ran.stderr
    assert len(cell.records(cell.commands)) == 1
    cell.dlq("replay", letter, "--again", "--reason", "the topic was lost")
    assert len(cell.records(cell.commands)) == 2
    number = approved(cell, letter, "--again")
    assert shown(cell, number)["selection"]["again"] is True
    cell.dlq("run", number)
    assert len(cell.records(cell.commands)) == 3
    assert cell.letters("--state", "replayed")[0]["replay_count"] == 3


def test_a_letter_under_way_is_not_quarantined(relay_cell):
    """Nothing says that it came back: it may be taken still."""
    cell = relay_cell
    letter = cell.rejected(key=b"a")
    cell.dlq("replay", letter, "--reason", "go", "--max-replays", "1")
    for more, why in (([], "it was replayed already"),
                      (["--again"], "raise --max-replays")):
        args = [letter, "--max-replays", "1", *more]
        ran = cell.run_dlq("replay", "--reason", "r", *args)
        assert ran.returncode == 2 and why in ran.stderr
        ran = cell.run_dlq("run", approved(cell, *args))
        assert ran.returncode == 0 and why in ran.stderr
    assert states(cell) == {letter: "replayed"}
    assert audits(cell, "dlq.quarantine") == []
    assert len(cell.records(cell.commands)) == 1
    cell.dlq("edit", letter, "--set-file", "/etc/hostname", "--reason", "r",
             status=2)


# ---- the same over HTTP

def test_over_http(relay_cell, api):
    cell, asked = relay_cell, api(dlq_two_person="actor")
    letters = [cell.rejected(key=b"k%d" % n) for n in range(3)]
    alone = asked.post("letters/discard", {"ids": letters[:1], "reason": "r"},
                       status=403)
    assert alone["error"]["code"] == "two_people"
    assert asked.post("letters/discard", {"ids": letters[:1],
                                          "dry_run": True})["done"] == 1
    wish = {"ids": letters[:2], "reason": "junk", "kind": "discard"}
    for wrong in ({"kind": "burn"}, {"canary": 2}, {"again": True}):
        asked.post("plans", {**wish, **wrong}, status=400)
    made = asked.post("plans", wish, status=201)
    assert (made["kind"], made["letters"]) == ("discard", 2)
    plan = f"plans/{made['plan']}"
    asked.post(f"{plan}/approve", {"reason": "r"}, status=409)
    asked.post(f"{plan}/approve", {"reason": "r"}, who="bob")
    asked.post(f"{plan}/run", {}, status=202)
    done = until(lambda: (p := asked.get(plan))["state"] == "done" and p, 60,
                 "it is done")
    assert (done["discarded"], done["sent"]) == (2, 0)
    assert [states(cell)[x] for x in letters] == [
        "discarded", "discarded", "pending"]


def test_each_call_over_http_has_its_audit_row(relay_cell, api):
    cell, asked = relay_cell, api()
    letters = [cell.rejected(key=b"k%d" % n) for n in range(2)]
    asked.post("letters/replay", {"ids": letters, "reason": "go"}, who="bob")
    again = asked.post("letters/replay", {"ids": letters[:1], "reason": "r"},
                       status=409)
    assert "replayed already" in again["results"][0]["detail"]
    asked.post("letters/replay", {"ids": letters[:1], "reason": "lost",
                                  "again": True})
    assert [(w, r, after["selection"], after["counts"]["done"])
            for _, w, _, r, after in audits(cell, "dlq.replayed")] == [
        ("bob", "go", {"named": 2}, 2), ("ann", "r", {"named": 1}, 0),
        ("ann", "lost", {"named": 1, "again": True}, 1)]
    assert len(cell.records(cell.commands)) == 3
