"""What is wrong in the books is found, told, and pauses; what is right is not."""

import json
import threading

import pytest

from harness.wait import until
from reconciler_books import Books, alerts, one, open_breaks, views


def folded(db, daemon):
    """Everything posted is in the buckets."""
    def all_in():
        return one(db, "SELECT (SELECT count(*) FROM postings) = (SELECT "
                   "coalesce(sum(n), 0) FROM ledger_buckets JOIN "
                   "reconcile_progress USING (gen))")
    return until(all_in, 60, "postings folded")


def rounds(daemon, n=3):
    """n more rounds are over."""
    name = "reconciler_check_duration_seconds_count"
    before = daemon.metric(name, check="log_seq")
    until(lambda: daemon.metric(name, check="log_seq") >= before + n, 60,
          f"{n} rounds")


def appears(db, key, seconds=60):
    return until(lambda: one(
        db, "SELECT org, subject, expected::text, found::text, "
        "difference::text, pause FROM breaks WHERE break_key = %s AND "
        "state = 'open'", (key,)), seconds, f"break {key}")


def paused_by(db, key, seconds=60):
    return until(lambda: one(db, "SELECT pause FROM breaks WHERE "
                             "break_key = %s", (key,)), seconds,
                 f"{key} paused")


def shows_the_same(db):
    """Each check has its turn: what the views show is there soon."""
    until(lambda: set(open_breaks(db)) == set(views(db)), 60,
          "the breaks are those of the views")


def test_right_books_under_load_show_no_break(db, connect, reconciler):
    daemon = reconciler(full_every="300ms")
    writers = [Books(connect(), part=n) for n in range(3)]
    # each its own accounts, as partitions have, and one that all pay into
    shared = writers[0].account("house")
    threads = []
    for n, w in enumerate(writers):
        mine = [w.account(f"user:{n}:{i}") for i in range(20)]
        threads.append(threading.Thread(target=w.trade, args=(
            mine, n, 150)))
        w.post((mine[0], shared, 5))
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    folded(db, daemon)
    until(lambda: daemon.metric("reconciler_full_verifications_total") >= 2,
          60, "two full verifications")
    rounds(daemon)
    assert one(db, "SELECT count(*) FROM breaks") == 0, daemon.logged()
    assert views(db) == []
    assert daemon.metric("reconciler_ledger_imbalance") == 0
    assert daemon.metric("reconciler_failures_total") == 0
    assert one(db, "SELECT count(*) FROM postings") == 3 * 150 * 8 + 3 * 2
    assert one(db, "SELECT count(DISTINCT gen) FROM ledger_buckets") <= 2


def test_an_edited_balance_is_found_told_and_pauses(db, books, reconciler):
    a, b = books.account("user:1"), books.account("house")
    books.post((a, b, 1250))
    daemon = reconciler(interval="1s", fold_every="5s")  # the defaults
    rounds(daemon, 2)
    assert open_breaks(db) == []
    books.sql("UPDATE balances SET balance = balance + 7 WHERE account_id "
              "= %s", (a,))
    key = "balances/acme/user:1"
    assert appears(db, key)[:5] == ("acme", "user:1", "-1250", "-1243", "7")
    number = paused_by(db, key)
    assert one(db, "SELECT scope, actor, reason FROM pauses WHERE "
               "number = %s", (number,)) == ("acme", "reconciler",
                                             f"break {key}")
    assert one(db, "SELECT count(*) FROM audit_events WHERE action = "
               "'pause'") == 1
    told = until(lambda: len(alerts(db, key)) == 2 and alerts(db, key), 60,
                 "opened and paused told")
    assert [t for t, _ in told] == ["break.opened", "break.paused"]
    assert told[0][1]["expected"] == "-1250"
    assert told[0][1]["found"] == "-1243"
    assert told[1][1]["pause"] == number
    daemon.wait_metric(7, "reconciler_ledger_imbalance")
    daemon.wait_metric(1, "reconciler_breaks_open", check="balances")
    daemon.wait_metric(1, "reconciler_paused_scopes")
    assert daemon.metric("reconciler_trading_paused") == 0
    assert views(db) == [key]


def test_a_break_that_goes_away_is_resolved_and_stays_a_row(
        db, books, reconciler):
    a, b = books.account("user:1"), books.account("house")
    books.post((a, b, 10))
    daemon = reconciler()
    books.sql("UPDATE balances SET balance = 0 WHERE account_id = %s", (a,))
    key = "balances/acme/user:1"
    paused_by(db, key)
    books.sql("UPDATE balances SET balance = -10 WHERE account_id = %s", (a,))
    until(lambda: open_breaks(db) == [], 60, "resolved")
    state, times, at = one(db, "SELECT state, times, resolved_at FROM breaks "
                           "WHERE break_key = %s", (key,))
    assert (state, times) == ("resolved", 1) and at is not None
    assert [t for t, _ in alerts(db, key)][-1] == "break.resolved"
    # nobody but an operator resumes
    rounds(daemon)
    assert one(db, "SELECT count(*) FROM pauses") == 1
    # the same break again is the same row
    books.sql("UPDATE balances SET balance = 5 WHERE account_id = %s", (a,))
    appears(db, key)
    assert one(db, "SELECT times, count(*) OVER () FROM breaks") == (2, 1)


def test_a_resume_is_not_overruled_until_the_break_grows(
        db, books, reconciler):
    a, b = books.account("user:1"), books.account("house")
    books.post((a, b, 10))
    daemon = reconciler()
    books.sql("UPDATE balances SET balance = balance + 3 "
              "WHERE account_id = %s", (a,))
    key = "balances/acme/user:1"
    first = paused_by(db, key)
    until(lambda: one(db, "SELECT count(*) FROM pauses") == 1, 60, "paused")
    db.cursor().execute("SELECT resume('acme', 'looked at it', 'ops:eve', "
                        "override => 'known error, corrected tonight')")
    rounds(daemon, 5)
    assert one(db, "SELECT count(*) FROM pauses") == 0
    # trading goes on; the difference stays what it was
    books.post((a, b, 500))
    rounds(daemon, 5)
    assert one(db, "SELECT count(*) FROM pauses") == 0
    assert one(db, "SELECT difference FROM breaks") == 3
    books.sql("UPDATE balances SET balance = balance + 1 "
              "WHERE account_id = %s", (a,))
    until(lambda: one(db, "SELECT count(*) FROM pauses") == 1, 60,
          "paused again")
    assert paused_by(db, key) != first
    assert [t for t, _ in alerts(db, key)] == [
        "break.opened", "break.paused", "break.changed", "break.paused"]


def test_under_the_threshold_it_is_an_alert_only(db, books, reconciler):
    a, b = books.account("user:1"), books.account("house")
    books.post((a, b, 10))
    daemon = reconciler(pause_balances="100")
    books.sql("UPDATE balances SET balance = balance + 100 "
              "WHERE account_id = %s", (a,))
    appears(db, "balances/acme/user:1")
    rounds(daemon, 4)
    assert one(db, "SELECT count(*) FROM pauses") == 0
    books.sql("UPDATE balances SET balance = balance + 1 "
              "WHERE account_id = %s", (a,))
    paused_by(db, "balances/acme/user:1")


def test_breaks_of_many_organisations_pause_trading(db, connect, reconciler):
    orgs = [Books(connect(), org=f"org{i}") for i in range(3)]
    accounts = [(o, o.account("a")) for o in orgs]
    daemon = reconciler(pause_orgs="2")
    rounds(daemon)
    db.cursor().execute("UPDATE balances SET balance = 1")
    until(lambda: one(db, "SELECT count(*) FROM pauses WHERE scope = "
                      "'trading'") == 1, 60, "trading paused")
    number = one(db, "SELECT number FROM pauses WHERE scope = 'trading'")
    until(lambda: one(db, "SELECT count(*) FROM breaks WHERE pause = %s",
                      (number,)) == 3, 60, "all three breaks name the pause")
    daemon.wait_metric(1, "reconciler_trading_paused")
    assert len(accounts) == 3


def test_a_pause_of_an_operator_is_widened_not_narrowed(
        db, books, reconciler):
    a = books.account("user:1")
    db.cursor().execute("SELECT pause('acme', ARRAY['account.open'], "
                        "'audit', 'ops:eve')")
    reconciler()
    books.sql("UPDATE balances SET balance = 1 WHERE account_id = %s", (a,))
    paused_by(db, "balances/acme/user:1")
    types = one(db, "SELECT types FROM pauses")
    assert "account.open" in types and "transfer.post" in types


def test_a_transfer_that_does_not_sum_to_zero(db, books, reconciler):
    a, b = books.account("user:1"), books.account("house")
    euro = books.account("till", asset="EUR")
    daemon = reconciler()
    batch = books.begin()
    books.write(batch, [(a, b, 10)])
    # a third leg, with its balance: only the transfer is wrong
    books.sql("INSERT INTO postings SELECT org_id, %s, batch, pos, 2, 0, 4, 4,"
              " command_id, decided_at FROM postings WHERE account_id = %s",
              (euro, a))
    books.sql("UPDATE balances SET balance = 4 WHERE account_id = %s", (euro,))
    books.sql("COMMIT")
    command = one(db, "SELECT DISTINCT command_id FROM postings")
    key = f"transfers/acme/{command}/EUR"
    assert appears(db, key)[:5] == ("acme", command, "0", "4", "4")
    assert views(db) == [key] == open_breaks(db)
    folded(db, daemon)
    rounds(daemon)
    assert open_breaks(db) == [key]
    # still known under the watermark, and resolved when it is put right
    books.post((a, b, 1))
    rounds(daemon, 5)
    assert open_breaks(db) == [key]
    books.sql("DELETE FROM postings WHERE account_id = %s", (euro,))
    until(lambda: key not in open_breaks(db), 60, "resolved")


def test_stock_and_reservations_disagree(db, books, reconciler):
    good, bad = books.sku("socks", reserved=3), books.sku("hats", reserved=2)
    books.reserve(good, 3)
    books.reserve(good, 9, state="released")
    books.reserve(bad, 5)
    reconciler()
    key = "stock/acme/hats/reserved"
    assert appears(db, key)[:5] == ("acme", "hats reserved", "5", "2", "-3")
    assert open_breaks(db) == views(db) == [key]
    books.sql("UPDATE stock SET reserved = 5 WHERE sku_id = %s", (bad,))
    until(lambda: open_breaks(db) == [], 60, "resolved")


def test_negative_stock_and_broken_floors_without_their_constraints(
        db, books, reconciler):
    sku, account = books.sku("socks"), books.account("user:1", floor=0)
    payer = books.account("house")
    reconciler()
    books.sql("ALTER TABLE stock DROP CONSTRAINT stock_covers")
    books.sql("ALTER TABLE balances DROP CONSTRAINT balances_floor")
    books.sql("UPDATE stock SET on_hand = -2 WHERE sku_id = %s", (sku,))
    books.post((account, payer, 30))
    assert appears(db, "stock/acme/socks/on_hand")[2:5] == ("0", "-2", "-2")
    assert appears(db, "floors/acme/user:1")[2:5] == ("0", "-30", "-30")
    shows_the_same(db)
    books.sql("UPDATE stock SET reserved = -1, on_hand = 5 WHERE sku_id = %s",
              (sku,))
    appears(db, "stock/acme/socks/negative")
    assert sorted(views(db)) == ["floors/acme/user:1",
                                 "stock/acme/socks/negative",
                                 "stock/acme/socks/reserved"]


def test_a_gap_in_the_log(db, books, reconciler):
    batch = books.begin()
    for pos in range(20):
        books.log(batch, pos, table=("command_log", "answers")[pos % 2])
    books.sql("COMMIT")
    daemon = reconciler()
    rounds(daemon)
    assert open_breaks(db) == []
    batch = books.begin()
    for pos in range(3):
        books.log(batch, pos)
    books.sql("UPDATE consumer_partitions SET next_log_seq = next_log_seq + 4 "
              "WHERE stream = %s", (books.stream,))
    books.log(batch, 7)
    books.sql("COMMIT")
    key = f"log_seq/{books.stream}/24"
    assert appears(db, key)[:5] == ("", "t.commands-0 24..27", "4", "0", "-4")
    assert open_breaks(db) == views(db) == [key]
    rounds(daemon, 3)
    assert one(db, "SELECT count(*) FROM pauses") == 0  # never, by default
    for seq in range(24, 28):
        books.log_at(seq, batch, seq, table="answers")
    until(lambda: open_breaks(db) == [], 60, "resolved")
    assert views(db) == []


def test_a_number_given_twice_and_one_that_is_not_given_yet(
        db, books, reconciler):
    batch = books.post()
    reconciler(pause_log_seq="0")
    books.begin()
    seq = books.log(batch, 0)
    books.log_at(seq, batch, 0, table="answers")
    books.sql("COMMIT")
    twice = f"log_seq/{books.stream}/{seq}"
    assert appears(db, twice)[2:5] == ("1", "2", "1")
    until(lambda: one(db, "SELECT count(*) FROM pauses WHERE scope = "
                      "'trading'") == 1, 60, "trading paused")
    books.log_at(seq + 5, batch, 5)
    beyond = f"log_seq/{books.stream}/{seq + 5}"
    assert appears(db, beyond)[2:5] == ("0", "1", "1")
    assert open_breaks(db) == views(db) == sorted([twice, beyond])
    books.sql("DELETE FROM command_log WHERE log_seq = %s", (seq + 5,))
    until(lambda: open_breaks(db) == [twice], 60, "beyond resolved")


@pytest.mark.parametrize("damage, key", [
    ("DELETE FROM postings WHERE account_id = {a}", "balances/acme/user:1"),
    ("UPDATE postings SET amount = amount - 1 WHERE account_id = {a} "
     "AND batch = (SELECT min(batch) FROM postings)", "balances/acme/user:1"),
    ("DELETE FROM command_log WHERE log_seq = 3", "log_seq/1/3"),
])
def test_what_is_changed_under_the_watermark_is_found_by_the_full_pass(
        db, books, reconciler, damage, key):
    a, b = books.account("user:1"), books.account("house")
    for _ in range(10):
        books.post((a, b, 10))
    daemon = reconciler(full_every="500ms")
    folded(db, daemon)
    rounds(daemon)
    books.sql(damage.format(a=a))
    appears(db, key, 10)
    assert key in views(db)
    shows_the_same(db)


def test_a_restart_takes_up_where_the_last_one_was(db, books, reconciler):
    a, b = books.account("user:1"), books.account("house")
    for _ in range(10):
        books.post((a, b, 10))
    daemon = reconciler()
    folded(db, daemon)
    books.sql("UPDATE balances SET balance = balance + 1 "
              "WHERE account_id = %s", (a,))
    appears(db, "balances/acme/user:1")
    assert daemon.stop() == 0
    watermark = one(db, "SELECT watermark FROM reconcile_progress")
    assert watermark >= 10
    books.post((a, b, 10))
    again = reconciler()
    folded(db, again)
    until(lambda: again.metric("reconciler_full_verifications_total") >= 1,
          60, "full verification at the start")
    rounds(again)
    assert open_breaks(db) == ["balances/acme/user:1"]
    assert one(db, "SELECT times FROM breaks") == 1


def test_a_large_table_is_swept_in_steps(db, books, reconciler):
    """More accounts than one step: each step is short, none is missed, and a
    break is resolved only after a whole sweep."""
    books.sql("INSERT INTO accounts SELECT %s, nextval('account_seq'), "
              "'a' || i, 'USD', 2 FROM generate_series(1, 50000) i",
              (books.org_id,))
    books.sql("INSERT INTO balances (org_id, account_id, last_at) SELECT "
              "org_id, account_id, now() FROM accounts")
    daemon = reconciler(round_budget="10ms", interval="50ms")
    books.sql("UPDATE balances SET balance = 5 WHERE account_id IN ("
              "SELECT account_id FROM accounts WHERE name IN "
              "('a1', 'a25000', 'a50000'))")
    keys = [f"balances/acme/a{n}" for n in (1, 25000, 50000)]
    for key in keys:
        appears(db, key, 60)
    name = "reconciler_last_success_timestamp_seconds"
    swept = daemon.metric(name, check="balances")
    until(lambda: daemon.metric(name, check="balances") > swept, 60, "sweep")
    assert open_breaks(db) == sorted(keys)
    books.sql("UPDATE balances SET balance = 0 WHERE balance <> 0")
    until(lambda: open_breaks(db) == [], 60, "resolved")


def test_more_breaks_than_one_run_takes_are_all_found(db, books, reconciler):
    books.sql("INSERT INTO accounts SELECT %s, nextval('account_seq'), "
              "'a' || i, 'USD', 2 FROM generate_series(1, 2500) i",
              (books.org_id,))
    books.sql("INSERT INTO balances (org_id, account_id, balance, last_at) "
              "SELECT org_id, account_id, 1, now() FROM accounts")
    daemon = reconciler()
    appears(db, "balances/acme/a1")
    rounds(daemon, 4)
    assert one(db, "SELECT count(*) FROM breaks WHERE state = 'open'") >= 1000
    assert one(db, "SELECT count(*) FROM breaks WHERE state = 'resolved'") == 0
    assert one(db, "SELECT count(*) FROM pauses") == 1
    books.sql("UPDATE balances SET balance = 0")
    until(lambda: open_breaks(db) == [], 60, "all resolved")


def test_an_alert_is_json_with_the_amounts_as_text(db, books, reconciler):
    a = books.account('we"ird\\ näme')
    reconciler()
    books.sql("UPDATE balances SET balance = 9223372036854775807 "
              "WHERE account_id = %s", (a,))
    key = 'balances/acme/we"ird\\ näme'
    appears(db, key)
    _, payload = alerts(db, key)[0]
    assert payload["difference"] == "9223372036854775807"
    assert payload["alert"] == "break.opened"
    assert payload["break"] == key
    assert json.loads(json.dumps(payload))["org"] == "acme"


@pytest.mark.parametrize("bend, mend, key, wrong", [
    ("UPDATE balances SET held = 5", "UPDATE balances SET held = 0",
     "held/acme/user:1", ("0", "5", "5")),
    ("INSERT INTO holds SELECT org_id, 1, account_id, 'h', 7, 'held', 0, "
     "NULL, 1, 1, now() FROM balances", "UPDATE holds SET state = 'voided'",
     "held/acme/user:1", ("7", "0", "-7")),
    ("INSERT INTO positions SELECT org_id, 1, account_id, 1, 'yes', 1, 9, "
     "NULL, NULL, NULL, 1, now() FROM balances", "UPDATE positions SET "
     "lock = 0", "held/acme/user:1", ("9", "0", "-9")),
    ("INSERT INTO ledger_markets (org_id, market_id, name, state, payer_id, "
     "reserved, unpaid, version, last_at) SELECT org_id, 1, 'm', 'settling', "
     "account_id, 9, 1, 1, now() FROM balances", "UPDATE ledger_markets SET "
     "state = 'settled'", "held/acme/user:1", ("8", "0", "-8")),
    ("INSERT INTO orders (org_id, order_id, name, market, side, qty, filled, "
     "state, version, last_at) SELECT org_id, 1, 'o', 'm', 'BUY', 9, 4, "
     "'partial', 1, now() FROM balances", "UPDATE orders SET filled = 0",
     "orders/acme/o", ("0", "4", "4")),
    ("INSERT INTO ledger_markets (org_id, market_id, name, state, reserved, "
     "paid, version, last_at) SELECT org_id, 1, 'm', 'settled', 9, 9, 1, "
     "now() FROM balances", "UPDATE ledger_markets SET paid = 0",
     "markets/acme/m/paid", ("0", "9", "9")),
])
def test_holds_orders_and_markets_are_checked(db, books, reconciler, bend,
                                              mend, key, wrong):
    books.account("user:1")
    daemon = reconciler()
    rounds(daemon, 1)
    books.sql(bend)
    assert appears(db, key)[2:5] == wrong
    assert views(db) == [key] == open_breaks(db)
    books.sql(mend)
    until(lambda: open_breaks(db) == [], 60, "resolved")
    assert views(db) == []
