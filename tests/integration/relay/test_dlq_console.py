"""The console's page in a real browser, worked by keyboard alone."""

import json
import os
import pathlib
import re
import signal

import pytest

from harness.browser import Browser
from harness.dead_letter_topics import put
from harness.dlq_api import TOKENS
from harness.kafka import header
from harness.relay_rows import (first_seen, noise, refused_letter,
                                small_topic, waits_for)
from harness.wait import until

ENTER, ESCAPE, TAB, BACKSPACE = "\ue007", "\ue00c", "\ue004", "\ue003"
HOSTILE = ("<script>document.title='pwned'</script>"
           "<img src=x onerror=\"document.title='pwned'\">")


@pytest.fixture(scope="module")
def browser():
    """One for the module: its start is the slow part."""
    made = Browser()
    yield made
    made.close()


@pytest.fixture
def picture(browser):
    """Kept where CH_PICTURES says, to be looked at."""
    folder = os.environ.get("CH_PICTURES")

    def take(name):
        if folder:
            browser.picture(pathlib.Path(folder) / f"{name}.png")
    return take


@pytest.fixture
def page(browser, api):
    """page(count): the page of a relay, when it shows so many letters."""
    def start(count, **flags):
        asked = api(**flags)
        browser.open(asked.url + "/")
        browser.wait(lambda: len(browser.rows("letters")) == count,
                     f"{count} letters are shown")
        return asked
    yield start
    browser.open("about:blank")  # before its relay ends
    browser.complaints()


def give_token(browser, who):
    browser.keys("t")
    browser.wait(lambda: browser.text("#dialog-title") == "Token", "asked")
    browser.keys(TOKENS[who], ENTER)
    browser.wait(lambda: f"as {who}" in browser.text("#who"), "known")
    browser.wait(lambda: not browser.text("#dialog-title"), "closed")


def press(browser, text):
    browser.wait(lambda: browser.js(
        "return [...document.querySelectorAll('#dialog button')].some("
        "(b) => b.innerText.startsWith(arguments[0]) && !b.disabled)", text),
        f"there is a button {text}")
    browser.tab_to(text)
    browser.keys(ENTER)


def titled(browser, text):
    browser.wait(lambda: browser.text("#dialog-title") == text,
                 f"the dialog says {text}")


def test_filter_look_plan_approve_and_run(relay_cell, page, browser, picture):
    cell = relay_cell
    letters = [cell.rejected(part=n % 2, key=b"k%d" % n,
                             value=b'{"amount":1.10,"n":%d}' % n,
                             headers=[(b"tenant", b"t%d" % (n % 2))])
               for n in range(6)]
    page(6)
    browser.wait(lambda: [r[0] for r in browser.rows("reasons")] == ["6"],
                 "and how many of which reason")
    assert "without a token" in browser.text("#who")
    give_token(browser, "ann")

    # by reason, and from there to its letters
    browser.js("document.getElementById('by').focus()")
    browser.keys(TAB)
    browser.wait(lambda: browser.focused()[0] == "TR", "the reason's row")
    browser.keys(ENTER)
    browser.wait(lambda: browser.js(
        "return document.getElementById('where').value").startswith(
            "fingerprint = '"), "the filter says which")
    browser.wait(lambda: browser.js(
        "return !!document.activeElement.closest('#letters')") and
                 len(browser.rows("letters")) == 6, "all are of it")

    # a mistake is shown where it is, then mended
    browser.keys("/", "clas = 'unreadable'", ENTER)
    browser.wait(lambda: "^ filter, byte 1" in browser.text("#where-wrong"),
                 "the mistake is shown")
    picture("mistake")
    browser.keys(ESCAPE, "/", "header.tenant = 't1'", ENTER)
    browser.wait(lambda: len(browser.rows("letters")) == 3, "filtered")
    assert browser.text("#where-wrong") == ""
    browser.wait(lambda: browser.focused()[0] == "TR", "a row has the focus")
    browser.keys("j", ENTER)
    titled(browser, "Letter " + letters[3])
    assert '"amount": 1.10' in browser.text("#value")
    picture("letter")
    browser.keys("v")
    assert '{"amount":1.10,"n":3}' in browser.text("#value")
    browser.keys("v")
    assert browser.text("#value").startswith("00000000  7b 22")
    browser.keys(ESCAPE)
    browser.wait(lambda: not browser.text("#dialog-title"), "closed")

    browser.keys("p")
    titled(browser, "Plan a replay")
    assert "header.tenant = 't1'" in browser.text("#dialog-body")
    browser.keys("mended, INC-7", TAB, "1e")
    press(browser, "Dry run")
    browser.wait(lambda: browser.text("#dialog-notice") ==
                 "Letters a second: what stands there is no number", "said")
    browser.js("const rate = document.getElementById('field-2');"
               "rate.focus(); rate.select()")
    browser.keys(BACKSPACE)
    press(browser, "Dry run")
    effect = f"3 letters: 3 to {cell.commands}[1]"
    press(browser, "Make this plan: replay " + effect)
    browser.wait(lambda: browser.text("#dialog-title").endswith(": planned"),
                 "the plan is made")
    [(plan,)] = cell.sql("SELECT plan_id FROM replay_plans")
    titled(browser, f"Plan {plan}: planned")
    picture("plan")
    assert cell.records(cell.commands) == []
    browser.wait(lambda: browser.focused()[0] == "INPUT", "asks why")
    browser.keys("checked with the team")
    press(browser, "Approve replaying " + effect)
    titled(browser, f"Plan {plan}: approved")
    press(browser, "Replay " + effect)
    titled(browser, f"Plan {plan}: done")
    picture("done")

    assert [header(r, "ch_letter_id") for r in cell.records(cell.commands)
            ] == letters[1::2]
    states = dict(cell.sql("SELECT letter_id::text, state FROM letters"))
    assert [states[i] for i in letters] == ["pending", "replayed"] * 3
    assert cell.sql(
        "SELECT action, actor, reason FROM audit_events WHERE action IN "
        "('dlq.plan', 'dlq.approve', 'dlq.run') ORDER BY event_id") == [
            ("dlq.plan", "ann", "mended, INC-7"),
            ("dlq.approve", "ann", "checked with the team"),
            ("dlq.run", "ann", "the plan's")]
    browser.keys(ESCAPE)
    browser.wait(lambda: browser.text("#letters-none") == "No letter fits.",
                 "the list is read again")
    # what was refused on the way is in the browser's log, and nothing else
    assert all("/api/v1/" in c["message"] for c in browser.complaints())


def test_letters_are_shown_when_their_counts_are_not(relay_cell, api, browser):
    cell = relay_cell
    cell.rejected()
    cell.sql("CREATE OR REPLACE FUNCTION letter_pattern(reason text) "
             "RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN "
             "RAISE 'too many'; END $$")
    browser.open(api().url + "/")
    browser.wait(lambda: len(browser.rows("letters")) == 1, "it is shown")
    browser.wait(lambda: browser.text("#notice").startswith(
        "How many there are: "), "what is not is said")
    browser.open("about:blank")
    assert all("/api/v1/groups" in c["message"]
               for c in browser.complaints())


# What the engine says to whoever sits at the command line, too.
SAID = (
    "canary: 2 letters cannot be sent, at most 0 may: see why (dlq plans 4 "
    "--letters --outcome held), mend it, dlq cancel this plan, plan again; "
    "dlq run 4 passes them",
    "topic a: mend the topic, or dlq edit or dlq discard the letter, or send "
    "it elsewhere with --to TOPIC",
    "plan 4: letter l at place 1 is not what was approved (3 letters): find "
    "out who changed replay_plan_letters; dlq cancel it, and plan again",
    "letter l is not decided by one person alone: plan it (dlq plan), and let "
    "somebody else approve it",
    "no thread can be started: try again, or run it by dlq run")


def test_what_the_engine_says_is_in_the_pages_words(relay_cell, page, browser):
    relay_cell.rejected()
    page(1)
    for said in browser.js("return arguments[0].map(plain)", list(SAID)):
        assert "dlq" not in said and "--" not in said, said
    # what only the command line does is named as such
    said = browser.js("return plain(arguments[0])", (
        "see that nobody has sent it again, then dlq edit --new-id makes a "
        "letter of it under a new id, linked with this one: replay that"))
    assert said.endswith("which only the command line does: dlq edit --new-id")


def test_an_export_that_something_else_answers_says_so(relay_cell, page,
                                                       browser):
    relay_cell.rejected()
    page(1)
    for body in ("<html>", "{}", "null", '{"error":"bad gateway"}'):
        browser.js("window.fetch = async () => new Response(arguments[0], "
                   "{status: 502}); say(byId('notice'), '');"
                   "document.getElementById('export').click()", body)
        browser.wait(lambda: browser.text("#notice").startswith(
            "Something else answers in the relay's place (HTTP 502)"),
                     f"said of {body}")
    browser.js("window.fetch = async () => ({text: async () => { "
               "throw new TypeError('cut off') }});"
               "document.getElementById('export').click()")
    browser.wait(lambda: browser.text("#notice").startswith(
        "The relay does not answer"), "said of an answer that is cut off")


def makes(browser):
    """Text of the button that makes a plan, and whether it is disabled."""
    return browser.js(
        "const b = [...document.querySelectorAll('#dialog button')].find((b) =>"
        " b.innerText.startsWith('Make')); return [b.innerText, b.disabled]")


def disabled(browser):
    """The buttons that are greyed."""
    return browser.js(
        "return [...document.querySelectorAll('#dialog-buttons button')]"
        ".filter((b) => b.disabled).map((b) => b.innerText)")


def chosen(browser, select, value):
    browser.js("const s = document.getElementById(arguments[0]);"
               "s.value = arguments[1]; s.dispatchEvent(new Event('change'))",
               select, value)


def test_a_sort_opens_its_own_letters_and_a_plan_says_which(
        relay_cell, page, browser, picture):
    cell = relay_cell
    keyless, keyed = cell.rejected(key=None), cell.rejected(key=b"it's")
    cell.dlq("discard", cell.rejected(key=b"k"), "--reason", "r")
    page(2)
    give_token(browser, "ann")
    for by, row, where, count in (
            ("key", "(none)", "key !~ ''", 1),
            ("key", "it's", "key = 'it''s'", 1),
            ("age", "< 1h", "age < 1h", 2)):
        chosen(browser, "by", by)
        browser.wait(lambda row=row: row in [
            r[2] for r in browser.rows("reasons")], f"sorted by {by}")
        browser.js("[...document.querySelectorAll('#reasons tbody tr')].find("
                   "(r) => r.cells[2].innerText === arguments[0]).click()", row)
        ours = [keyless, keyed] if count == 2 else [
            keyless if "none" in row else keyed]
        browser.wait(lambda where=where, ours=ours: browser.js(
            "return document.getElementById('where').value") == where and
                     sorted(browser.js("return now.letters.map("
                                       "(l) => l.letter_id)")) == sorted(ours),
                     f"of {row}")
    browser.js("document.getElementById('where').value = ''")
    chosen(browser, "state", "any")
    browser.wait(lambda: len(browser.rows("letters")) == 3, "all are shown")
    browser.keys("p")
    titled(browser, "Plan a replay")
    assert "All letters, whatever their state." in browser.text("#dialog-body")
    browser.keys(ESCAPE)
    browser.wait(lambda: not browser.text("#dialog-title"), "closed")
    # all that fit are discarded by a plan
    chosen(browser, "state", "")
    browser.wait(lambda: len(browser.rows("letters")) == 2, "pending again")
    browser.keys("d")
    titled(browser, "Plan to discard")
    assert "All pending letters." in browser.text("#dialog-body")
    browser.keys("test data")
    press(browser, "Dry run")
    press(browser, "Make this plan: discard 2 letters")
    browser.wait(lambda: browser.text("#dialog-title").endswith(": planned"),
                 "the plan is made")
    picture("discard-all")
    assert cell.sql("SELECT kind, letters FROM replay_plans") == [
        ("discard", 2)]


def test_what_a_plan_did_not_send_is_shown_with_why(relay_cell, page, browser,
                                                    picture):
    cell = relay_cell
    looped = cell.rejected(key=b"a", headers=[(b"ch_replay_count", b"5")])
    behind = cell.rejected(key=b"a")
    asked = page(2)
    plan = asked.post("plans", {"where": "attempts >= 0", "reason": "r"},
                      status=201)["plan"]
    asked.post(f"plans/{plan}/approve", {"reason": "ok"})
    cell.dlq("run", str(plan))
    browser.keys("P")
    titled(browser, "Plans")
    browser.wait(lambda: browser.focused()[0] == "TR", "a row has the focus")
    browser.keys(ENTER)
    titled(browser, f"Plan {plan}: done")
    rows = browser.wait(lambda: browser.rows("unsent"), "what did not go")
    assert [(r[0], r[1], r[4]) for r in rows] == [
        (looped, "quarantined", "quarantined"), (behind, "held", "pending")]
    assert "it was replayed 5 times" in rows[0][3]
    assert "--" not in rows[0][3]  # the command line's
    picture("unsent")
    browser.js("document.querySelector('#unsent tbody tr').focus()")
    browser.keys(ENTER)
    titled(browser, "Letter " + looped)


def test_a_plan_has_its_bounds_and_its_topic(relay_cell, page, browser,
                                             picture):
    cell = relay_cell
    cell.rejected(key=b"k1")
    elsewhere = cell.kafka.unique("orders")
    cell.kafka.create(elsewhere, f"{elsewhere}.dlt")
    put(cell.kafka, f"{elsewhere}.dlt", [(0, b"k", b"v", [])])
    cell.dlq("import", f"{elsewhere}.dlt", "--reason", "r")
    page(2)
    give_token(browser, "ann")
    browser.keys("p")
    titled(browser, "Plan a replay")
    browser.keys("mended", TAB, "50", TAB, "2000", TAB, "1", TAB, "2", TAB,
                 "3", TAB, elsewhere)
    press(browser, "Dry run")
    browser.wait(lambda: makes(browser)[0].startswith(
        "Make this plan: replay 2 letters: ") and not makes(browser)[1], "tried")
    # what is changed was not tried
    browser.js("document.getElementById('field-12').focus()")
    browser.keys("x", BACKSPACE)
    assert makes(browser) == ["Make this plan", True]
    browser.keys(TAB, " ")
    press(browser, "Dry run")
    press(browser, "Make this plan: replay 2 letters: ")
    browser.wait(lambda: browser.text("#dialog-title").endswith(": planned"),
                 "the plan is made")
    assert cell.sql("SELECT per_second, bytes_per_second, canary, "
                    "canary_returns, replays_max, selection->>'to', "
                    "selection->>'again' FROM replay_plans") == [
        (50, 2000, 1, 2, 3, elsewhere, "true")]
    shown = browser.text("#dialog-body")
    for text in ("50 letters a second", "2000 a second",
                 "Replays of a letter at most\n3",
                 "the first 1 letter; 2 may come back",
                 "Also replayed letters not yet taken\nyes",
                 f"Topic for letters without one\n{elsewhere}"):
        assert text in shown, shown
    picture("plan-bounds")


def test_discard_asks_why_and_says_what_it_does(relay_cell, page, browser,
                                                picture):
    cell = relay_cell
    letters = [cell.rejected(key=b"k%d" % n) for n in range(3)]
    page(3)
    give_token(browser, "bob")
    browser.wait(lambda: browser.focused()[0] == "TR", "a row has the focus")
    browser.js("document.getElementById('export').focus()")
    browser.keys(ENTER)
    browser.wait(lambda: browser.text("#notice") == "3 letters exported",
                 "exported before")
    browser.keys("j", "x", "j", "x")
    browser.js("document.getElementById('export').click()")
    browser.wait(lambda: browser.text("#notice") == "2 letters exported",
                 "what is selected")
    assert browser.text("#discard") == "Discard 2 selected…"
    browser.keys("d")
    titled(browser, "Discard")
    assert "2 letters will never be sent" in browser.text("#dialog-body")
    press(browser, "Dry run")
    press(browser, "Discard 2 letters for good")
    browser.wait(lambda: "Say why" in browser.text("#dialog-notice"),
                 "a reason is asked for")
    assert cell.sql("SELECT count(*) FROM audit_events") == [(0,)]
    browser.js("document.getElementById('field-0').focus()")
    browser.keys("test data")
    press(browser, "Discard 2 letters for good")
    browser.wait(lambda: "2 discarded, 0 refused" in
                 browser.text("#dialog-notice"), "done")
    picture("discarded")
    states = dict(cell.sql("SELECT letter_id::text, state FROM letters"))
    assert [states[i] for i in letters] == ["discarded", "discarded",
                                            "pending"]
    browser.keys(ESCAPE)
    browser.wait(lambda: len(browser.rows("letters")) == 1, "read again")


def test_a_search_that_is_refused_lists_nothing(relay_cell, page, browser):
    relay_cell.rejected(key=b"k1")
    page(1)
    give_token(browser, "ann")
    for wrong, said in (("value ~ '('", "invalid regular expression"),
                        ("clas = 'x'", "clas")):
        browser.keys("/", wrong, ENTER)
        browser.wait(lambda: said in browser.text("#where-wrong"), said)
        assert browser.rows("letters") == []
        assert "nothing is listed" in browser.text("#letters-none")
        assert browser.js("return document.getElementById('plan').disabled")
    browser.js("document.getElementById('where').value = ''")
    browser.keys(ENTER)
    browser.wait(lambda: len(browser.rows("letters")) == 1, "all again")
    assert browser.text("#where-wrong") == ""


def test_a_notice_ends_with_what_it_was_about(relay_cell, page, browser):
    relay_cell.rejected(key=b"k1")
    asked = page(1)
    asked.daemon.signal(signal.SIGSTOP)
    try:
        browser.keys("r")
        browser.wait(lambda: "does not answer" in browser.text("#notice"),
                     "it says so")
    finally:
        asked.daemon.signal(signal.SIGCONT)
    browser.wait(lambda: browser.text("#notice") == "", "it is over")
    assert len(browser.rows("letters")) == 1


def test_a_telephone_shows_it_all(relay_cell, page, browser, picture):
    cell = relay_cell
    parked(cell, 3)
    cell.rejected(key=b"k" * 900)
    browser.shrink(390, 800)
    try:
        page(4)
        give_token(browser, "ann")
        wide = "return document.documentElement.scrollWidth"
        assert browser.js(wide) <= 390
        picture("telephone")
        browser.keys("p")
        titled(browser, "Plan a replay")
        browser.keys("mended")
        press(browser, "Dry run")
        browser.wait(lambda: browser.focused()[2].startswith(
            "Make this plan: "), "tried")
        # what it would do is seen, before it is done
        assert browser.js(
            "const t = document.getElementById('targets');"
            "const at = t.getBoundingClientRect(), r = t.querySelector('td');"
            "return at.top > 0 && document.elementFromPoint(at.left + 5,"
            " r.getBoundingClientRect().top + 5) === r")
        picture("telephone-tried")
        press(browser, "Make this plan")
        browser.wait(lambda: browser.text("#dialog-title").endswith(
            ": planned"), "the plan is made")
        # why stands beside who, not behind the edge
        assert browser.js(
            "return [...document.querySelectorAll('#history td')].every((td) =>"
            " td.getBoundingClientRect().right <= innerWidth) &&"
            " document.querySelectorAll('#history td').length >= 4")
        assert browser.js("const d = document.getElementById('dialog');"
                          "return d.scrollWidth - d.clientWidth") <= 0
        picture("telephone-plan")
    finally:
        browser.grow()


def test_a_discard_under_two_person_is_a_plan(relay_cell, page, browser,
                                              picture):
    cell = relay_cell
    letters = [cell.rejected(key=b"k%d" % n) for n in range(2)]
    page(2, dlq_two_person="actor")
    give_token(browser, "bob")
    browser.wait(lambda: browser.focused()[0] == "TR", "a row has the focus")
    browser.keys("x", "d")
    titled(browser, "Discard")
    browser.js("document.getElementById('field-0').focus()")
    browser.keys("test data")
    press(browser, "Dry run")
    press(browser, "Plan to discard 1 letter for good")
    [(plan,)] = browser.wait(lambda: cell.sql(
        "SELECT plan_id FROM replay_plans"), "planned")
    titled(browser, f"Plan {plan}: planned")
    assert "nothing is discarded yet" in browser.text("#dialog-notice")
    picture("discard-plan")
    # not by oneself, and that is said before it is tried
    assert browser.text("#dialog-why").startswith("You planned it: a second")
    assert disabled(browser) == ["Approve discarding 1 letter"]
    cell.dlq("approve", str(plan), "--reason", "seen", "--actor", "ann")
    cell.dlq("run", str(plan))
    states = dict(cell.sql("SELECT letter_id::text, state FROM letters"))
    assert sorted(states.values()) == ["discarded", "pending"]
    assert set(states) == set(letters)


def test_what_is_hostile_is_text(relay_cell, page, browser, picture):
    cell = relay_cell
    letter = cell.rejected(key=HOSTILE.encode(), value=HOSTILE.encode(),
                           reason=HOSTILE + "\u202etxt.exe",
                           headers=[(HOSTILE.encode(), HOSTILE.encode())])
    page(1)
    give_token(browser, "ann")
    browser.dark(True)
    browser.wait(lambda: browser.focused()[0] == "TR", "a row has the focus")
    browser.keys(ENTER)
    titled(browser, "Letter " + letter)
    assert browser.text("#value") == HOSTILE
    assert browser.rows("headers") == [[HOSTILE, HOSTILE]]
    assert "\\u{202e}txt.exe" in browser.text("#dialog-body")
    picture("hostile")
    # edited: the difference is shown as text too
    press(browser, "Edit")
    titled(browser, "Edit letter " + letter)
    browser.keys(HOSTILE)
    press(browser, "Dry run")
    browser.wait(lambda: "at byte" in browser.text("#dialog-body pre"),
                 "the difference is shown")
    picture("edit")
    browser.keys(ESCAPE, ESCAPE, ESCAPE)  # it was edited; the letter; its list
    browser.wait(lambda: not browser.text("#dialog-title"), "closed")
    browser.keys("p")
    titled(browser, "Plan a replay")
    press(browser, "Dry run")
    browser.wait(lambda: browser.rows("sample"), "the sample is shown")
    assert browser.js("return document.title") == "Dead letters"
    assert browser.js("return document.querySelectorAll("
                      "'body script, img, iframe').length") == 0
    assert browser.complaints() == []
    browser.dark(False)
    # and if there were a hole, the page's policy would not run it
    browser.js("const s = document.createElement('script');"
               "s.textContent = \"document.title = 'pwned'\";"
               "document.body.append(s)")
    assert browser.js("return document.title") == "Dead letters"


def test_a_run_is_watched_and_stopped(relay_cell, page, browser, picture):
    cell = relay_cell
    for n in range(90):
        cell.rejected(key=b"k%d" % n)
    asked = page(90)
    plan = asked.post("plans", {"where": "attempts >= 0", "reason": "slow",
                                "per_second": 1}, status=201)["plan"]
    asked.post(f"plans/{plan}/approve", {"reason": "ok"}, who="bob")
    give_token(browser, "bob")
    browser.keys("P")
    titled(browser, "Plans")
    browser.wait(lambda: browser.focused()[0] == "TR", "a row has the focus")
    browser.keys(ENTER)
    titled(browser, f"Plan {plan}: approved")
    press(browser, "Replay 90 letters")
    titled(browser, f"Plan {plan}: running")
    browser.wait(lambda: browser.js(
        "return document.getElementById('progress').value") > 0, "it moves")
    browser.wait(lambda: re.search(
        r"Now\n\d[.\d]* letters a second; about \d+ (s|min) to go, until "
        r"\d\d:\d\d:\d\d\n", browser.text("#plan-fields")), "how fast")
    picture("running")
    press(browser, "Stop after the letter in hand")
    browser.wait(lambda: "Say why first" in browser.text("#dialog-notice"),
                 "why is asked")
    assert browser.focused()[0] == "INPUT"
    decided = "return document.getElementById('plan-fields').innerText"
    before = browser.js(decided)
    browser.wait(lambda: browser.js(decided) != before, "it is looked at on")
    assert "Say why first" in browser.text("#dialog-notice")
    browser.js("document.getElementById('field-0').focus()")
    browser.keys("lunch", ENTER)
    titled(browser, f"Plan {plan}: stopped")
    # a second Enter is no next step
    assert browser.focused()[0] == "H2"
    assert cell.sql("SELECT state, state_reason FROM replay_plans") == [
        ("stopped", "lunch")]


def test_without_tokens_the_page_only_reads(relay_cell, page, browser):
    cell = relay_cell
    cell.rejected()
    page(1, tokens=False)
    assert "read only" in browser.text("#who")
    assert browser.js("return ['plan', 'discard'].every("
                      "(id) => document.getElementById(id).disabled)")
    browser.wait(lambda: browser.focused()[0] == "TR", "a row has the focus")
    browser.keys(ENTER)
    browser.wait(lambda: browser.rows("history") or
                 browser.text("#dialog-body").endswith("None."), "opened")
    assert browser.js("return [...document.querySelectorAll("
                      "'#dialog-buttons button')].length") == 1
    browser.keys(ESCAPE)
    assert browser.complaints() == []


def buttons(browser):
    return browser.js("return [...document.querySelectorAll("
                      "'#dialog-buttons button')].map((b) => b.innerText)")


def test_a_token_that_only_reads_is_offered_nothing_else(relay_cell, page,
                                                         browser):
    cell = relay_cell
    cell.rejected()
    page(1)
    give_token(browser, "wall")
    browser.wait(lambda: "this token changes nothing" in browser.text("#who"),
                 "it says so")
    browser.wait(lambda: browser.js(
        "return ['plan', 'discard'].every("
        "(id) => document.getElementById(id).disabled)"), "nothing to press")
    browser.wait(lambda: browser.focused()[0] == "TR", "a row has the focus")
    said = "The token of wall only reads"
    assert browser.text("#why-not").startswith(said)
    browser.keys("p")
    browser.wait(lambda: browser.text("#notice").startswith(said), "and why")
    browser.keys(ENTER)
    browser.wait(lambda: browser.text("#dialog-title"), "opened")
    assert buttons(browser) == ["Close (Esc)"]
    assert browser.text("#dialog-why").startswith(said)
    browser.keys(ESCAPE)
    give_token(browser, "ann")
    browser.wait(lambda: "may change" in browser.text("#who"), "another one")
    assert browser.complaints() == []


def test_the_owners_rule_leaves_no_replay_at_once(relay_cell, page, browser):
    cell = relay_cell
    cell.rejected()
    cell.sql("SELECT set_two_person('actor', 'dba', 'r')")
    page(1)
    give_token(browser, "ann")
    browser.wait(lambda: "second person" in browser.text("#who"), "it says so")
    browser.wait(lambda: browser.focused()[0] == "TR", "a row has the focus")
    browser.keys(ENTER)
    browser.wait(lambda: browser.text("#dialog-title"), "opened")
    assert "Replay now…" not in buttons(browser)
    browser.keys(ESCAPE)
    assert browser.complaints() == []


# ---- as somebody who has read no manual

def open_first(browser):
    """The first letter's dialog; its id."""
    browser.wait(lambda: browser.focused()[0] == "TR", "a row has the focus")
    browser.keys(ENTER)
    browser.wait(lambda: browser.text("#dialog-title").startswith("Letter "),
                 "it is open")
    return browser.text("#dialog-title").removeprefix("Letter ")


def test_each_esc_is_one_step(relay_cell, page, browser):
    cell = relay_cell
    for n in range(2):
        cell.rejected(key=b"k%d" % n, value=b"old")
    asked = page(2)
    give_token(browser, "ann")
    letter = open_first(browser)
    press(browser, "Edit")
    titled(browser, "Edit letter " + letter)
    assert buttons(browser)[-1] == "Back (Esc)"
    # what was typed is not lost by one key
    browser.keys("new", ESCAPE)
    browser.wait(lambda: "is not kept" in browser.text("#dialog-notice"),
                 "asks")
    assert browser.text("#dialog-title") == "Edit letter " + letter
    browser.keys(ESCAPE)
    titled(browser, "Letter " + letter)
    browser.wait(lambda: browser.focused()[2] == "Edit…", "where one was")
    browser.keys(ESCAPE)
    browser.wait(lambda: not browser.text("#dialog-title"), "closed")
    plan = asked.post("plans", {"where": "attempts >= 0", "reason": "r"},
                      status=201)["plan"]
    asked.post("plans", {"where": "attempts >= 0", "reason": "r"}, status=201)
    browser.keys("P")
    titled(browser, "Plans")
    browser.keys("j", ENTER)
    titled(browser, f"Plan {plan}: planned")
    browser.keys(ESCAPE)
    titled(browser, "Plans")
    browser.wait(lambda: browser.focused()[2].startswith(str(plan)), "there")
    browser.keys(ESCAPE)
    browser.wait(lambda: not browser.text("#dialog-title"), "closed")
    # two at once: nothing opens late
    open_first(browser)
    press(browser, "Discard")
    titled(browser, "Discard")
    browser.keys(ESCAPE, ESCAPE)
    browser.wait(lambda: not browser.text("#dialog-title"), "closed")
    assert browser.complaints() == []


def test_a_dry_run_promises_nothing_to_a_topic_that_is_gone(
        relay_cell, page, browser, picture):
    cell = relay_cell
    gone = cell.prefix + "gone"
    refused_letter(cell, gone)
    page(1)
    give_token(browser, "ann")
    browser.keys("p")
    titled(browser, "Plan a replay")
    browser.keys("mended")
    press(browser, "Dry run")
    browser.wait(lambda: "does not exist: create it first" in
                 browser.text("#dialog-body"), "it is said of the plan")
    assert "Careful: not all of it" in browser.text("#dialog-body")
    picture("plan-to-nowhere")
    browser.keys(ESCAPE)
    browser.wait(lambda: not browser.text("#dialog-title"), "closed")
    open_first(browser)
    press(browser, "Replay now")
    titled(browser, "Replay now")
    browser.keys("INC-7", ENTER)
    browser.wait(lambda: f"to {gone}: this topic does not exist" in
                 browser.text("#dialog-body"), "and of the letter")
    assert "Nothing of it can be replayed" in browser.text("#dialog-why")


def test_enter_tries_and_enter_does(relay_cell, page, browser, picture):
    cell = relay_cell
    for n in range(3):
        cell.rejected(key=b"k%d" % n)
    page(3)
    give_token(browser, "ann")
    letter = open_first(browser)
    press(browser, "Replay now")
    titled(browser, "Replay now")
    assert browser.text("#dialog-why").startswith("First the dry run")
    state = "SELECT state FROM letters WHERE letter_id = %s"
    browser.keys("INC-7", ENTER)
    browser.wait(lambda: browser.focused()[2] == "Replay 1 letter now",
                 "tried, and at the button")
    assert "Would replay 1" in browser.text("#dialog-notice")
    assert browser.text("#dialog-why") == ""
    assert cell.sql(state, (letter,)) == [("pending",)]
    browser.keys(ENTER)
    browser.wait(lambda: "1 replayed" in browser.text("#dialog-notice"), "done")
    # the page behind it knows
    browser.wait(lambda: browser.js("return now.letters.length") == 2,
                 "it is gone")
    browser.keys(ESCAPE)
    titled(browser, "Letter " + letter)
    assert disabled(browser) == ["Replay now…", "Edit…"]
    assert "may have been taken" in browser.text("#dialog-why")
    picture("replayed-letter")
    press(browser, "Discard")
    titled(browser, "Discard")
    # the reason may come after the dry run
    browser.keys(ENTER)
    browser.wait(lambda: "Would discard 1" in browser.text("#dialog-notice"),
                 "tried")
    assert browser.focused()[:2] == ["INPUT", "field-0"]
    browser.keys("twice", ENTER)
    assert browser.focused()[2] == "Discard 1 letter for good"
    browser.keys(ENTER)
    browser.wait(lambda: "1 discarded" in browser.text("#dialog-notice"),
                 "done")
    browser.keys(ESCAPE)
    titled(browser, "Letter " + letter)
    assert buttons(browser) == ["Close (Esc)"]
    assert browser.text("#dialog-why") == (
        "It was discarded: nothing is left to do.")
    assert cell.sql(state, (letter,)) == [("discarded",)]
    assert browser.complaints() == []


def test_a_change_asks_first_who_it_is(relay_cell, page, browser):
    relay_cell.rejected()
    page(1)
    browser.wait(lambda: browser.focused()[0] == "TR", "a row has the focus")
    browser.keys("p")
    titled(browser, "Token")
    assert "say first who you are" in browser.text("#dialog-notice")
    browser.keys("not-one-of-them", ENTER)
    browser.wait(lambda: browser.text("#dialog-notice").startswith(
        "The relay does not know this token. See that"), "in words")
    assert "Bearer" not in browser.text("#dialog")
    browser.js("const t = document.getElementById('field-0');"
               "t.value = ''; t.focus()")
    browser.keys(TOKENS["bob"], ENTER)
    titled(browser, "Plan a replay")
    assert "as bob" in browser.text("#who")
    # one that is refused in a form: what is typed there stays
    browser.driver.execute_async_script("refresh().then(arguments[0])")
    browser.js("now.token = 'gone'")
    browser.keys("why", ENTER)
    titled(browser, "Token")
    browser.keys(TOKENS["ann"], ENTER)
    titled(browser, "Plan a replay")
    assert browser.js(
        "return document.getElementById('field-0').value") == "why"
    press(browser, "Dry run")
    browser.wait(lambda: "nothing is stored" in browser.text("#dialog-notice"),
                 "goes on")


def test_an_edit_shows_what_is_around_it(relay_cell, page, browser, picture):
    cell = relay_cell
    cell.rejected(value=json.dumps({f"f{n}": n for n in range(12)}).encode())
    page(1)
    give_token(browser, "ann")
    open_first(browser)
    press(browser, "Edit")

    def write(change):
        browser.js("const t = document.querySelector('#dialog textarea');"
                   f"t.value = t.value{change};"
                   "t.dispatchEvent(new Event('input', {bubbles: true}))")
        assert browser.text("#dialog-why").startswith("First the dry run")
        press(browser, "Dry run")

    write(""".replace('"f6": 6', '"f6": 66')""")
    browser.wait(lambda: browser.text("#difference"), "the difference")
    lines = browser.text("#difference").split("\n")[1:]
    assert [line.rstrip() for line in lines] == [
        "…", '    "f3": 3,', '    "f4": 4,', '    "f5": 5,',
        '-   "f6": 6,', '+   "f6": 66,', '    "f7": 7,', '    "f8": 8,',
        '    "f9": 9,', "…"]
    picture("difference")
    write(" + '}'")
    browser.wait(lambda: "was JSON, and is none now" in
                 browser.text("#dialog-body"), "said")


def test_a_canary_says_what_it_waits_for(relay_cell, page, browser, picture):
    cell = relay_cell
    for n in range(4):
        cell.rejected(key=b"k%d" % n)
    asked = page(4)
    plan = asked.post("plans", {"where": "attempts >= 0", "reason": "r",
                                "canary": 2}, status=201)["plan"]
    asked.post(f"plans/{plan}/approve", {"reason": "ok"})
    give_token(browser, "ann")
    browser.keys("P")
    titled(browser, "Plans")
    browser.keys(ENTER)
    titled(browser, f"Plan {plan}: approved")
    press(browser, "Replay 4 letters")
    browser.wait(lambda: "Now\nwaits for the word on the first 2 letters" in
                 browser.text("#plan-fields"), "it says so")
    picture("canary")
    browser.js("document.getElementById('field-0').focus()")
    browser.keys("enough", ENTER)
    titled(browser, f"Plan {plan}: stopped")
    assert buttons(browser)[0].startswith("Resume: replay 2 letters")
    # what somebody else has done meanwhile is shown with the refusal
    asked.post(f"plans/{plan}/cancel", {"reason": "no"}, who="bob")
    press(browser, "Resume")
    titled(browser, f"Plan {plan}: cancelled")
    browser.wait(lambda: "nothing is left to run" in
                 browser.text("#dialog-notice"), "why")
    assert "dlq" not in browser.text("#dialog-notice")


def hold_back(browser, what):
    """Answers to requests whose path holds `what` come when let_go() says."""
    browser.js("const real = window.fetch.bind(window);"
               "window.held = []; window.fetch = async (path, more) => {"
               "const answer = await real(path, more);"
               "if (path.includes(arguments[0]))"
               " await new Promise((go) => window.held.push(go));"
               "return answer; }".replace("arguments[0]", json.dumps(what)))


def let_go(browser):
    browser.wait(lambda: browser.js("return held.length > 0"), "it is asked")
    browser.driver.execute_async_script(
        "const done = arguments[0]; for (const go of held.splice(0)) go();"
        "setTimeout(done, 50)")


def test_a_late_answer_writes_into_no_other_dialog(relay_cell, page, browser):
    cell = relay_cell
    letters = [cell.rejected(key=b"k%d" % n) for n in range(2)]
    page(2)
    give_token(browser, "ann")
    hold_back(browser, "/plans")
    browser.keys("p")
    titled(browser, "Plan a replay")
    browser.keys("mended", ENTER)
    browser.wait(lambda: "Under way" in browser.text("#dialog-notice"), "asked")
    browser.keys(ESCAPE)
    browser.wait(lambda: not browser.text("#dialog-title"), "left")
    # another form, of other letters: what it says is not of the first one's
    browser.keys("x", "d")
    titled(browser, "Discard")
    let_go(browser)
    assert browser.text("#dialog-notice") == ""
    assert browser.text("#dialog-why").startswith("First the dry run")
    assert browser.focused()[:2] == ["INPUT", "field-0"]
    browser.keys(ESCAPE, ESCAPE)
    browser.wait(lambda: not browser.text("#dialog-title"), "left")

    # a change that was left is told, and takes nobody away
    browser.keys("p")
    titled(browser, "Plan a replay")
    browser.keys("mended", ENTER)
    let_go(browser)
    browser.wait(lambda: browser.focused()[2].startswith("Make this plan"),
                 "tried")
    browser.keys(ENTER)
    browser.wait(lambda: browser.js("return held.length > 0"), "asked")
    browser.keys(ESCAPE)
    browser.wait(lambda: not browser.text("#dialog-title"), "left")
    shown = open_first(browser)
    let_go(browser)
    browser.wait(lambda: "is made; nothing is replayed yet: it is under Plans"
                 in browser.text("#dialog-notice"), "told")
    assert shown in letters
    assert browser.text("#dialog-title") == "Letter " + shown
    assert cell.sql("SELECT state FROM replay_plans") == [("planned",)]
    assert browser.complaints() == []


def test_a_filter_that_was_not_searched_plans_nothing(relay_cell, page,
                                                      browser):
    cell = relay_cell
    for n in range(3):
        cell.rejected(key=b"k%d" % n)
    page(3)
    give_token(browser, "ann")
    browser.keys("/", "key = 'k1'")
    for button in ("plan", "discard", "export"):
        browser.js("document.getElementById('where').value = \"key = 'k1'\";"
                   "document.getElementById(arguments[0]).click()", button)
        browser.wait(lambda: "had not been searched yet" in
                     browser.text("#notice"), "it is searched first")
        assert not browser.text("#dialog-title")
        assert [r[5] for r in browser.rows("letters")] == ["k1"]
        browser.js("document.getElementById('where').value = '';"
                   "document.getElementById('search').click()")
        browser.wait(lambda: len(browser.rows("letters")) == 3, "all again")
    # nor does what is half typed change the list behind one's back
    browser.js("document.getElementById('where').value = \"key = 'k1'\"")
    browser.js("document.getElementById('refresh').click()")
    browser.wait(lambda: browser.driver.execute_async_script(
        "const done = arguments[0]; refresh().then(() => done(true))"), "read")
    assert len(browser.rows("letters")) == 3
    browser.js("document.getElementById('plan').click()")
    browser.wait(lambda: len(browser.rows("letters")) == 1, "searched")
    browser.js("document.getElementById('plan').click()")
    titled(browser, "Plan a replay")
    assert "key = 'k1'" in browser.text("#dialog-body")


def test_what_was_typed_is_there_again(relay_cell, page, browser):
    cell = relay_cell
    for n in range(2):
        cell.rejected(key=b"k%d" % n)
    page(2)
    give_token(browser, "ann")

    def typed():
        return browser.js("return [0, 2].map((n) => document.getElementById("
                          "'field-' + n).value)")
    browser.keys("p")
    titled(browser, "Plan a replay")
    browser.keys("limit raised, INC-7", TAB, "50", ESCAPE)
    browser.wait(lambda: not browser.text("#dialog-title"), "one Esc too many")
    browser.keys("p")
    titled(browser, "Plan a replay")
    assert typed() == ["limit raised, INC-7", "50"]
    browser.keys(ESCAPE)
    browser.wait(lambda: not browser.text("#dialog-title"), "left")
    # of other letters it is another matter
    browser.keys("x", "p")
    titled(browser, "Plan a replay")
    assert typed() == ["", ""]


def test_webhooks_that_wait_for_nobody(relay_cell, page, browser, picture):
    cell = relay_cell
    waits_for(cell, "gone", 3)
    page(0)
    browser.wait(lambda: browser.js(
        "document.getElementById('refresh').click();"
        "const t = document.getElementById('endpoints').tBodies[0];"
        "return t.rows.length > 0 && t.rows[0].cells[3].innerText"
        " === 'no running relay has it'"), "it is shown")
    give_token(browser, "ann")
    assert [r[:3] for r in browser.rows("endpoints")] == [["3", "3h", "gone"]]
    picture("endpoints")
    browser.js("document.querySelector('#endpoints tbody tr').focus()")
    browser.keys(ENTER)
    titled(browser, "Make letters of what waits")
    browser.keys("the partner left", ENTER)
    browser.wait(lambda: browser.focused()[2] == "Make letters of 3 deliveries",
                 "tried")
    assert "nothing is changed yet" in browser.text("#dialog-notice")
    picture("bury")
    browser.keys(ENTER)
    browser.wait(lambda: "3 deliveries of gone are letters now" in
                 browser.text("#dialog-notice"), "done")
    browser.keys(ESCAPE)
    browser.wait(lambda: len(browser.rows("letters")) == 3 and
                 not browser.text("#orphans-title"), "they are letters")
    assert cell.sql("SELECT actor, subject, reason FROM audit_events") == [
        ("ann", "endpoint gone", "the partner left")]
    assert browser.complaints() == []


def test_what_is_not_known_is_said(relay_cell, page, browser, picture):
    cell = relay_cell
    cell.rejected()
    asked = page(1)
    give_token(browser, "ann")
    open_first(browser)
    press(browser, "Discard")
    titled(browser, "Discard")
    browser.keys("why", ENTER)
    browser.wait(lambda: browser.focused()[2].startswith("Discard 1"), "tried")
    owner = cell.cell.connect()
    owner.autocommit = True
    allow = f'ALTER DATABASE "{cell.database}" ALLOW_CONNECTIONS '
    with owner.cursor() as cur:
        cur.execute(allow + "false")
        try:
            cur.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE datname = %s AND application_name = "
                        "'outbox-relay api'", (cell.database,))
            browser.keys(ENTER)
            browser.wait(lambda: browser.text("#dialog-notice").startswith(
                "PostgreSQL does not answer the relay. See that it runs"),
                         "what happened")
        finally:
            cur.execute(allow + "true")
    owner.close()
    unknown = "Whether it was done is not known"
    assert unknown in browser.text("#dialog-notice")
    picture("no-database")
    assert asked.daemon.stop() == 0
    press(browser, "Discard 1 letter for good")
    browser.wait(lambda: browser.text("#dialog-notice").startswith(
        "The relay does not answer. "), "nor the relay")
    assert unknown in browser.text("#dialog-notice")


def test_ages_go_on_by_themselves(relay_cell, page, browser):
    relay_cell.rejected()
    page(1)
    browser.js("for (const c of document.querySelectorAll('[data-at]'))"
               " c.setAttribute('data-at', new Date(Date.now() - 3600e3)"
               ".toISOString())")
    browser.wait(lambda: browser.rows("letters")[0][1] == "60m", "an hour")


# ---- blocked keys

NOTHING = "Nothing is blocked: no key waits behind a letter."


def blocked_key(cell):
    """(topic, the event that its topic refuses, those behind it)."""
    topic = small_topic(cell)
    big = cell.event("acme/u1", "small", payload=noise(60000))
    later = [cell.event("acme/u1", "small") for _ in range(3)]
    return topic, big, later


def shown_blocked(browser, want):
    """The rows of the table, as soon as want(rows) is true of them: nobody
    asks the page to look again."""
    def look():
        rows = browser.rows("blocked")
        return want(rows) and (rows,)
    try:
        return browser.wait(look, "blocked keys")[0]
    except AssertionError as late:
        raise AssertionError(f"{late}; {browser.rows('blocked')}\n"
                             f"{browser.text('body')}\n"
                             f"{browser.complaints()}") from late


def to_the_blocked_keys(browser):
    browser.keys("b")
    browser.wait(lambda: browser.js(
        "return !!document.activeElement.closest('#blocked')"), "there")


def test_a_blocked_key_appears_by_itself_and_is_skipped(
        relay_cell, page, browser, picture):
    cell = relay_cell
    page(0)
    browser.wait(lambda: browser.text("#blocked-said") == NOTHING, "said")
    assert browser.text("#blocked") == ""
    picture("blocked-none")
    browser.keys("b")
    browser.wait(lambda: browser.text("#notice") == NOTHING, "by its key too")
    browser.keys(ESCAPE)
    give_token(browser, "ann")
    topic, _, later = blocked_key(cell)
    # its key's rows come to it one after the other
    [row] = shown_blocked(browser, lambda rows: rows and rows[0][1] == "3")
    [(letter,)] = cell.sql("SELECT letter_id::text FROM dead_letters")
    assert row[2:5] == ["blocked", topic, "acme/u1"]
    assert row[5].startswith("too_large: ") and "large" in row[5]
    assert row[6:] == ["1", letter]
    assert browser.text("#blocked-said") == "1 key; 3 rows behind it"
    # and with it the letters
    browser.wait(lambda: len(browser.rows("letters")) == 1, "the letter")
    picture("blocked-one")

    to_the_blocked_keys(browser)
    browser.keys("d")
    titled(browser, "Discard")
    assert browser.rows("waiting") == [[topic, "acme/u1", "3"]]
    press(browser, "Dry run")
    press(browser, "Discard 1 letter for good")
    browser.wait(lambda: "Say why" in browser.text("#dialog-notice"),
                 "a reason is asked for")
    assert cell.sql("SELECT count(*) FROM audit_events") == [(0,)]
    browser.js("document.getElementById('field-0').focus()")
    browser.keys("the customer left, INC-12")
    picture("blocked-skip")
    press(browser, "Discard 1 letter for good")
    browser.wait(lambda: "1 discarded, 0 refused" in
                 browser.text("#dialog-notice"), "done")
    browser.keys(ESCAPE)
    shown_blocked(browser, lambda rows: rows == [])
    browser.wait(lambda: browser.text("#blocked-said") == NOTHING, "said")
    until(lambda: first_seen(cell, topic).get("acme/u1") == later, 60,
          "its key goes on")
    assert cell.sql("SELECT action, actor, reason FROM audit_events "
                    "ORDER BY event_id") == [
        ("dlq.discard", "ann", "the customer left, INC-12"),
        ("dlq.discarded", "ann", "the customer left, INC-12")]
    assert all("/api/v1/" in c["message"] for c in browser.complaints())


def test_a_blocking_letter_is_replayed_when_its_topic_takes_it(
        relay_cell, page, browser, picture):
    cell = relay_cell
    topic, big, later = blocked_key(cell)
    page(0)
    shown_blocked(browser, lambda rows: rows and rows[0][1] == "3")
    give_token(browser, "bob")
    browser.dark(True)
    to_the_blocked_keys(browser)
    browser.keys(ENTER)
    [(letter,)] = cell.sql("SELECT letter_id::text FROM dead_letters")
    titled(browser, "Letter " + letter)
    assert "its key waits for it: 3 rows behind it" in browser.text("#dialog-body")
    picture("blocking-letter")
    press(browser, "Replay now")
    titled(browser, "Replay now")
    assert browser.rows("waiting") == [[topic, "acme/u1", "3"]]
    browser.keys("limit raised, INC-7")
    press(browser, "Dry run")
    press(browser, "Replay 1 letter now")
    # the topic still refuses it: so does the page, and nothing is decided
    browser.wait(lambda: "0 replayed" in browser.text("#dialog-notice"),
                 "refused")
    assert browser.rows("results")[0][1] == "refused"
    picture("blocked-replay-refused")
    cell.kafka.set_config(topic, "max.message.bytes=200000")
    press(browser, "Dry run")
    press(browser, "Replay 1 letter now")
    browser.wait(lambda: "1 replayed, 0 refused" in
                 browser.text("#dialog-notice"), "sent")
    picture("blocked-replay")
    browser.keys(ESCAPE)
    shown_blocked(browser, lambda rows: rows == [])
    until(lambda: first_seen(cell, topic).get("acme/u1") == [big, *later], 60,
          "in order")
    assert cell.sql("SELECT actor, reason FROM audit_events WHERE action = "
                    "'dlq.replay'") == [("bob", "limit raised, INC-7")]
    browser.dark(False)


def parked(cell, count):
    """Letters that block keys, the first one for longest; their ids."""
    return [cell.sql(
        "INSERT INTO dead_letters (letter_id, source, row_id, topic, "
        "record_key, value, error_class, reason, attempts, blocks_key, "
        "parked_at) VALUES (gen_random_uuid(), 'outbox', %s, %s, %s, 'v', "
        "'INVALID_RECORD', 'Broker: it failed validation', 2, true, "
        "now() - make_interval(hours => %s)) RETURNING letter_id::text",
        (f"row{n}", cell.stock, b"\xff\x00" if n == 0 else b"k%d" % n,
         count - n))[0][0] for n in range(count)]


def test_many_blocked_keys_and_the_focus_stays_with_its_key(
        relay_cell, page, browser, picture):
    cell = relay_cell
    letters = parked(cell, 12)
    asked = page(12)
    rows = shown_blocked(browser, lambda rows: len(rows) == 10)
    assert rows[0][4] == "0xff00" and rows[0][0] == "12h"
    assert browser.js("return scrollY") == 0
    assert [r[7] for r in rows] == letters[:10]
    assert browser.text("#blocked-said") == "12 keys; 0 rows behind them"
    browser.js("document.getElementById('blocked-all').click()")
    shown_blocked(browser, lambda rows: len(rows) == 12)
    picture("blocked-many")
    to_the_blocked_keys(browser)
    browser.keys("jjjj")
    assert letters[4] in browser.focused()[2]
    for gone in (letters[0], letters[9]):
        asked.post("letters/discard", {"ids": [gone], "reason": "test"})
    shown_blocked(browser, lambda rows: len(rows) == 10)
    assert letters[4] in browser.focused()[2]
    # an edited letter stands for the one that blocks
    made = asked.post(f"letters/{letters[4]}/edit", {
        "value": "w", "reason": "mended"})["letter_id"]
    shown_blocked(browser, lambda rows: any(r[2] == "edited" for r in rows))
    browser.keys(ENTER)
    titled(browser, "Letter " + made)
    browser.keys(ESCAPE)
    browser.wait(lambda: letters[4] in browser.focused()[2], "back")
    assert browser.complaints() == []


def test_blocked_keys_without_tokens_and_without_a_relay(
        relay_cell, page, browser, picture):
    cell = relay_cell
    [letter] = parked(cell, 1)
    asked = page(1, tokens=False)
    shown_blocked(browser, lambda rows: len(rows) == 1)
    to_the_blocked_keys(browser)
    for key in "dpR":
        browser.keys(key)
        browser.wait(lambda: "only reads" in browser.text("#notice"), "said")
        browser.keys("r")
        browser.wait(lambda: browser.text("#notice") == "", "and gone")
    browser.keys(ENTER)
    titled(browser, "Letter " + letter)
    assert browser.js("return [...document.querySelectorAll("
                      "'#dialog-buttons button')].length") == 1
    browser.keys(ESCAPE)
    # what may be old says so: nobody answers in time, then nobody at all
    asked.daemon.signal(signal.SIGSTOP)
    browser.wait(lambda: browser.text("#blocked-late").startswith(
        "Not read since "), "said")
    asked.daemon.signal(signal.SIGCONT)
    browser.wait(lambda: browser.text("#blocked-late") == "", "read again")
    assert asked.daemon.stop() == 0
    browser.wait(lambda: "and may have changed: the relay does not answer"
                 in browser.text("#blocked-late"), "said")
    assert len(browser.rows("blocked")) == 1
    picture("blocked-late")
