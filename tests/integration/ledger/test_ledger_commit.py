"""COMMIT: lost in both directions, and refused. The writer never guesses."""

import os
import random

import ledger_oracle
import ledger_rigged
import pytest
from harness.wait import until
from ledger_families import Families
from ledger_kit import transfer
from ledger_rigged import Rigged, proxied

SEED = int(os.environ.get("SEED") or random.randrange(1 << 32))


@pytest.fixture(scope="module", autouse=True)
def failpoints():
    ledger_rigged.build()


@pytest.fixture
def line(ledger, tmp_path):
    proxy, flags = proxied(ledger, tmp_path)
    yield proxy, flags
    proxy.close()


def prepare(ledger):
    """Books for every family; how many records that took."""
    print(f"SEED={SEED}")
    load, total = Families(SEED), 0
    for step in load.setup():
        ledger.send(*step)
        total += len(step)
        ledger.wait_consumed(total)
    return load, total


@pytest.mark.parametrize("held,outcome", [("down", "committed"),
                                          ("up", "lost")])
def test_a_commit_whose_answer_is_lost_is_settled_by_reading_back(
        ledger, line, tmp_path, held, outcome):
    """The connection is cut between COMMIT and its answer: once the server
    got it, once it did not. The writer cannot tell until it has read back."""
    proxy, flags = line
    place = Rigged(ledger, tmp_path, "one", **flags)
    writer = place.start()
    load, total = prepare(ledger)
    place.arm("before_commit", "stop")
    cmd = transfer("house", "u1", "1.00")
    ledger.send(cmd)
    until(place.stopped, 60, "COMMIT is next")
    proxy.hold(held)
    place.wake()
    if outcome == "committed":
        ledger.answer(cmd)  # it is, and the writer has not read so
    else:
        until(lambda: proxy.held > 0, 60, "the COMMIT is held")
    proxy.cut()
    ledger.send(*load.records(300))
    ledger.wait_consumed(total + 301)
    assert writer.metric("ledger_commits_in_doubt_total",
                         outcome=outcome) >= 1
    ledger_oracle.assert_equal(ledger, tmp_path)
    ledger.check_books()


REFUSE = """
    CREATE SEQUENCE refusals;
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
        SET search_path = ch AS $$ BEGIN
        IF nextval('refusals') <= {times} THEN
            RAISE EXCEPTION 'injected' USING ERRCODE = '{code}';
        END IF;
        RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON balances
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()
"""


@pytest.mark.parametrize("code,doubts", [("40001", 0), ("53100", 3)])
def test_a_commit_that_is_refused_is_tried_again_whole(ledger, tmp_path, code,
                                                       doubts):
    """Found at COMMIT, by a deferred trigger. After 40 nothing is in doubt;
    after the others one looks."""
    writer = ledger.writer()
    load, total = prepare(ledger)
    ledger.db.cursor().execute(REFUSE.format(code=code, times=3))
    cmd = transfer("house", "u1", "1.00")
    ledger.send(cmd)
    ledger.answer(cmd)
    assert ledger.value("SELECT last_value FROM refusals") > 3
    writer.wait_metric(doubts, "ledger_commits_in_doubt_total",
                       outcome="lost")
    ledger.send(*load.records(100))
    ledger.wait_consumed(total + 101)
    assert ledger.rows("SELECT * FROM rejected WHERE error_class = 'poison'"
                       ) == []
    ledger_oracle.assert_equal(ledger, tmp_path)
    ledger.check_books()
