"""Rate rules as operators change them, and the feed of trades."""

import re

import psycopg2
import pytest

from harness.cell import ROOT
from schema_rows import Rows

RULE = ("SELECT ch.set_rate_rule('trades', NULL, 'actor', '{trade.record}', "
        "10, '1 minute', 1, 'me', 'agreed with them')")


@pytest.fixture
def operator(cell, database):
    db = cell.connect("operator", database)
    yield db
    db.close()


def run(db, text, *args):
    with db.cursor() as cur:
        cur.execute(text, args or None)
        return cur.fetchall() if cur.description else None


def test_a_rule_is_numbered_among_the_decisions_and_audited(db, operator):
    (number,), = run(operator, RULE)
    assert run(db, "SELECT name, org_id, scope, types, most, window_us, "
               "shares, number FROM rate_rules") == [
        ("trades", None, "actor", ["trade.record"], 10, 60_000_000, 1,
         number)]
    assert run(db, "SELECT nextval('batch_seq') > %s", number) == [(True,)]
    assert run(db, "SELECT action, subject, actor, reason, before, "
               "after->>'most' FROM audit_events") == [
        ("set_rate_rule", "trades", "me", "agreed with them", None, "10")]


def test_windows_go_on_unless_what_they_count_has_changed(db, operator):
    acme = Rows(db, "acme")

    def windows():
        return len(run(db, "SELECT 1 FROM rate_windows"))
    run(operator, RULE)
    rule = run(db, "SELECT rule_id FROM rate_rules")[0][0]
    acme.put("rate_windows", org_id=acme.org_id, rule_id=rule, subject="u",
             stamps=[1], last_at=acme.at())
    run(operator, RULE.replace("10,", "20,"))
    assert run(db, "SELECT rule_id, most FROM rate_rules") == [(rule, 20)]
    assert windows() == 1
    run(operator, RULE.replace("NULL, 'actor'", "'acme', 'org'"))
    assert windows() == 0
    acme.put("rate_windows", org_id=acme.org_id, rule_id=rule, subject="0",
             stamps=[1], last_at=acme.at())
    run(operator, "SELECT ch.drop_rate_rule('trades', 'me', 'no more')")
    assert windows() == 0 and run(db, "SELECT 1 FROM rate_rules") == []
    assert run(db, "SELECT action, before->>'most' FROM audit_events "
               "ORDER BY event_id DESC LIMIT 1") == [("drop_rate_rule", "10")]


def test_windows_that_no_answer_can_show_go(db, operator, cell, database):
    acme = Rows(db, "acme")
    run(operator, RULE)
    rule = run(db, "SELECT rule_id FROM rate_rules")[0][0]
    days = {"now": 0, "quiet": 30, "edge": 31, "gone": 32, "held": 32,
            "long gone": 300}
    for subject, ago in days.items():
        at = acme.at(-86400 * ago)
        acme.put("rate_windows", org_id=acme.org_id, rule_id=rule,
                 subject=subject, stamps=[1], last_at=at)

    def left():
        return {s for s, in run(db, "SELECT subject FROM rate_windows")}
    quiet = "SELECT ch.drop_quiet_windows('me', 'nightly'%s)"
    # by the books' own time, whatever the server's clock says
    run(db, "UPDATE consumer_partitions SET last_at = now() - interval "
        "'20 days'")
    assert run(operator, quiet % ", dry_run => true") == [(1,)]
    run(db, "UPDATE consumer_partitions SET last_at = now()")
    assert run(operator, quiet % ", dry_run => true") == [(3,)]
    assert left() == set(days)
    assert run(db, "SELECT 1 FROM audit_events WHERE action = "
               "'drop_quiet_windows'") == []
    # one that a batch holds is about to be used
    writer = psycopg2.connect(cell.url("writer", database))
    run(writer, "SELECT 1 FROM ch.rate_windows WHERE subject = 'held' "
        "FOR NO KEY UPDATE")
    assert run(operator, quiet % "") == [(2,)]
    assert left() == {"now", "quiet", "edge", "held"}
    writer.rollback()
    writer.close()
    assert run(operator, quiet % "") == [(1,)]
    assert run(operator, quiet % "") == [(0,)]
    assert left() == {"now", "quiet", "edge"}
    assert run(db, "SELECT actor, reason, after->>'rows' FROM audit_events "
               "WHERE action = 'drop_quiet_windows' ORDER BY event_id") == [
        ("me", "nightly", "2"), ("me", "nightly", "1")]
    # no rule may have a window that reaches further
    with pytest.raises(psycopg2.errors.CheckViolation):
        run(operator, RULE.replace("'1 minute'", "'31 days 1 us'"))


@pytest.mark.parametrize("change", [
    ("'me'", "''"), ("'agreed with them'", "''"), ("'{trade.record}'", "'{}'"),
    ("'{trade.record}'", "'{Trade Record}'"), ("10", "0"), ("10", "10001"),
    ("'1 minute'", "'0 s'"), ("'1 minute'", "'32 days'"),
    ("'actor'", "'everybody'"), ("1, 'me'", "2, 'me'"), ("NULL", "'nobody'"),
    ("trade.record", "trade.records"), ("trade.record", "trade.record,NULL"),
    ("10, '1 minute', 1", "2, '1 minute', 3"),
    ("trade.record", "order.fill"), ("trade.record", "trade.record,hold.void")])
@pytest.mark.parametrize("dry_run", ["", ", dry_run => true"])
def test_a_rule_that_makes_no_sense_is_refused(operator, db, change, dry_run):
    with pytest.raises(psycopg2.Error):
        run(operator, RULE.replace("them')", f"them'{dry_run})")
            .replace(*change, 1))
    assert run(db, "SELECT 1 FROM rate_rules") == []


def test_what_is_wrong_with_a_rule_is_said(operator):
    for change, *words in (
            ("{trade.records}", "type of command trade.records",
             "trade.record, transfer.post"),
            ("{trade.record,order.fill}", "counts order.fill: it is a fact",
             "would be lost")):
        with pytest.raises(psycopg2.Error) as said:
            run(operator, RULE.replace("{trade.record}", change))
        assert [w for w in words if w not in str(said.value)] == []
    with pytest.raises(psycopg2.Error, match="at least shares: 3"):
        run(operator, RULE.replace("'actor'", "'org'").replace(
            "10, '1 minute', 1", "2, '1 minute', 3"))


def test_a_dry_run_of_a_rule_changes_nothing(operator, db):
    dry = RULE.replace("them')", "them', dry_run => true)")
    assert run(operator, dry) == [(None,)]
    assert run(db, "SELECT 1 FROM rate_rules") == []
    run(operator, RULE)
    run(operator, dry.replace("10", "20"))
    assert run(operator, "SELECT ch.drop_rate_rule('trades', 'me', 'x', "
               "dry_run => true)") == [(None,)]
    assert run(db, "SELECT most FROM rate_rules") == [(10,)]
    assert run(db, "SELECT action FROM audit_events") == [("set_rate_rule",)]
    with pytest.raises(psycopg2.errors.NoDataFound):
        run(operator, "SELECT ch.drop_rate_rule('none', 'me', 'x', "
            "dry_run => true)")


def test_the_types_are_those_of_the_writer(db):
    written = dict(re.findall(
        r'\{"([a-z_.]+)", (true|false)\},',
        (ROOT / "services/ledger-writer/ledger.c").read_text()
        .partition("ledger_statuses")[0]))
    assert {t: f"{fact}".lower() for t, fact in run(
        db, "SELECT * FROM command_types()")} == written
    assert set(written) == {p.name.removeprefix("command.").removesuffix(
        ".schema.json") for p in (ROOT / "schema/messages").glob("command.*")}
    assert run(db, "SELECT insist_types('x', pause_default_types())")


@pytest.mark.parametrize("types,words", [
    ("{transfer.pots}", ("no type of command transfer.pots", "transfer.post")),
    ("{}", ("nothing that can be refused", "transfer.post")),
    ("{hold.place,NULL}", ("no type of command NULL",)),
    ("{order.fill,hold.void}", ("nothing that can be refused", "facts"))])
def test_a_pause_that_pauses_nothing_is_refused(operator, db, types, words):
    with pytest.raises(psycopg2.errors.InvalidParameterValue) as said:
        run(operator, "SELECT ch.pause('trading', %s, 'why', 'me')", types)
    assert [w for w in words if w not in str(said.value)] == []
    assert run(db, "SELECT 1 FROM pauses") == []


def test_a_pause_of_an_organisation_that_is_not_there(operator, db):
    Rows(db, "acme")
    run(operator, "SELECT ch.pause('acme', NULL, 'why', 'me')")
    with pytest.raises(psycopg2.errors.NoDataFound, match="unknown_org"):
        run(operator, "SELECT ch.pause('acmee', NULL, 'why', 'me')")
    # before its first command
    run(operator, "SELECT ch.pause('next', NULL, 'why', 'me', "
        "unknown_org => true)")
    assert run(db, "SELECT scope FROM pauses ORDER BY 1") == [
        ("acme",), ("next",)]


def test_a_dry_run_of_a_pause_changes_nothing(operator, db):
    pause = "SELECT ch.pause('trading', %s, 'why', 'me', dry_run => true)"
    assert run(operator, pause, None) == [(None,)]
    with pytest.raises(psycopg2.errors.InvalidParameterValue):
        run(operator, pause, "{nothing}")
    assert run(db, "SELECT 1 FROM pauses") == []
    run(operator, "SELECT ch.pause('trading', NULL, 'why', 'me')")
    resume = "SELECT ch.resume('trading', 'why', 'me'%s, dry_run => true)"
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState):
        run(operator, resume % "")
    assert run(operator, resume % ", override => 'a drill'") == [(None,)]
    assert run(db, "SELECT scope FROM pauses") == [("trading",)]
    assert run(db, "SELECT action FROM audit_events") == [("pause",)]


def test_no_batch_decides_across_the_change(cell, database, operator, db):
    # whoever sets a rule waits for batches under way
    writer = psycopg2.connect(cell.url("writer", database))
    run(writer, "LOCK TABLE ch.pause_lock IN ROW EXCLUSIVE MODE")
    with pytest.raises(psycopg2.errors.LockNotAvailable):
        run(operator, RULE.replace("them')", "them', wait_ms => 600)"))
    writer.commit()
    run(operator, RULE)
    writer.close()


def test_only_operators_change_rules(cell, database):
    for role in ("writer", "reader", "relay", "reconciler", "cache"):
        other = cell.connect(role, database)
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            run(other, RULE)
        other.close()


def in_the_feed(cell, database):
    """The markets whose trades it shows, to whoever may ask."""
    seen = []
    for role in ("cache", "operator", "reconciler"):
        other = cell.connect(role, database)
        seen.append([m for m, in run(other, "SELECT condition_id FROM "
                                            "trades_feed ORDER BY 1")])
        other.close()
    assert seen[0] == seen[1] == seen[2]
    return seen[0]


def traded(rows, *markets):
    for i, market in enumerate(markets):
        rows.put("trades_public", trade_id=bytes([i]) * 32,
                 traded_at=rows.at(), condition_id=market, asset="1",
                 wallet="0x", side="BUY", price="0.5", size="1", tx_hash="0x",
                 source="trades", stream=1, src_offset=i, batch=1)


def seen_by_the_cache(rows, market, status, days):
    rows.put("markets", condition_id=market, outcomes=[], prices=[],
             tokens=[], status=status, source="t", fetched_at=rows.at(),
             changed_at=rows.at(-86400 * days))


def test_trades_of_a_market_leave_the_feed_a_week_after_it_was_resolved(
        cell, database, db):
    rows = Rows(db, "acme")
    traded(rows, "open", "fresh", "old", "unknown")
    for market, status, days in (("open", "open", 90), ("fresh", "resolved", 6),
                                 ("old", "resolved", 8)):
        seen_by_the_cache(rows, market, status, days)
    assert in_the_feed(cell, database) == ["fresh", "open", "unknown"]
    nobody = cell.connect("reader", database)
    assert len(run(nobody, "SELECT trade_id FROM trades_feed")) == 3
    nobody.close()


def test_the_books_settlement_counts_where_it_is_earlier(cell, database, db):
    """The second figure: how many days ago the cache saw it resolved."""
    rows = Rows(db, "acme")
    rows.account("bank")
    cases = {"open": ("open", 90, None), "settled": ("settled", 8, None),
             "fresh": ("settled", 6, None), "stuck": ("settling", 8, None),
             "books first": ("settled", 8, 1), "cache first": ("settled", 1, 8),
             "both fresh": ("settled", 6, 6)}
    traded(rows, *cases)
    for market, (state, days, seen) in cases.items():
        rows.market(market, state, "bank")
        run(db, "UPDATE ledger_markets SET last_at = now() - %s * "
                "interval '1 day' WHERE name = %s", days, market)
        if seen is not None:
            seen_by_the_cache(rows, market, "resolved", seen)
    assert in_the_feed(cell, database) == ["both fresh", "fresh", "open"]


def test_one_markets_feed_is_read_by_its_keys(db):
    run(db, "SET enable_seqscan = off")
    plan = "\n".join(line for line, in run(
        db, "EXPLAIN SELECT * FROM trades_feed WHERE condition_id = 'open' "
        "ORDER BY traded_at DESC LIMIT 50"))
    assert "markets_pkey" in plan and "ledger_markets_resolved" in plan, plan
    assert "Sort" not in plan, plan
