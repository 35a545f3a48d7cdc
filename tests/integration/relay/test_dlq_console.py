"""The console's page in a real browser, worked by keyboard alone."""

import pathlib
import os

import pytest

from harness.browser import Browser
from harness.dead_letter_topics import put
from harness.dlq_api import TOKENS
from harness.kafka import header

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
    assert [r[0] for r in browser.rows("reasons")] == ["6"]
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
    press(browser, "Make this plan: " + effect)
    browser.wait(lambda: browser.text("#dialog-title").endswith(": planned"),
                 "the plan is made")
    [(plan,)] = cell.sql("SELECT plan_id FROM replay_plans")
    titled(browser, f"Plan {plan}: planned")
    picture("plan")
    assert cell.records(cell.commands) == []
    browser.wait(lambda: browser.focused()[0] == "INPUT", "asks why")
    browser.keys("checked with the team")
    press(browser, "Approve " + effect)
    titled(browser, f"Plan {plan}: approved")
    press(browser, "Send " + effect)
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
    browser.keys("mended", TAB, "50", TAB, "2000", TAB, "1", TAB, "3", TAB,
                 elsewhere)
    press(browser, "Dry run")
    press(browser, "Make this plan: 2 letters: ")
    browser.wait(lambda: browser.text("#dialog-title").endswith(": planned"),
                 "the plan is made")
    assert cell.sql("SELECT per_second, bytes_per_second, canary, replays_max,"
                    " selection->>'to' FROM replay_plans") == [
        (50, 2000, 1, 3, elsewhere)]
    shown = browser.text("#dialog-body")
    for text in ("50 letters a second", "2000 a second", "3 times",
                 f"Foreign letters go to\n{elsewhere}"):
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
    browser.keys("j", "x", "j", "x", "d")
    titled(browser, "Discard")
    assert "2 letters will never be sent" in browser.text("#dialog-body")
    press(browser, "Dry run")
    press(browser, "Discard 2 letters for good")
    browser.wait(lambda: "say why" in browser.text("#dialog-notice"),
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
    browser.js("document.getElementById('field-0').focus()")
    browser.keys("mine too")
    press(browser, "Approve discarding 1 letter")
    browser.wait(lambda: "somebody else" in browser.text("#dialog-notice"),
                 "not by oneself")
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
    browser.keys(ESCAPE)
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
    press(browser, "Send 90 letters")
    titled(browser, f"Plan {plan}: running")
    browser.wait(lambda: browser.js(
        "return document.getElementById('progress').value") > 0, "it moves")
    picture("running")
    browser.wait(lambda: browser.js(
        "const i = document.querySelector('#dialog input');"
        "if (!i) return false; i.focus(); return true"), "asks why")
    browser.keys("lunch")
    press(browser, "Stop after the letter in hand")
    titled(browser, f"Plan {plan}: stopped")
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
