"""A market with many holders is settled page by page, whoever dies meanwhile.

HOLDERS= (default 100000) positions are paid."""

import os

from fractions import Fraction

import ledger_oracle
from harness.wait import until
from ledger_kit import command, peak, public_trade, transfer
from ledger_markets import applied, groups, market, trade

HOLDERS = int(os.environ.get("HOLDERS") or 100000)
PRICES = {"yes": "0.73000001", "no": "0.26999999"}  # a third one pays nothing
KILLS = (0.1, 0.35, 0.6) if HOLDERS >= 100000 else (0.2, 0.6)  # of the pages


def make_holders(ledger, count):
    """Accounts h1..hn with 10.00 each, of which a lock of 1.00 on market m and
    2.00 on another one, as if so many trades had been recorded."""
    cur = ledger.db.cursor()
    cur.execute("""
        INSERT INTO accounts (org_id, account_id, name, asset, scale)
        SELECT org_id, nextval('account_seq'), 'h' || i, 'USD', 2
        FROM orgs, generate_series(1, %s) i WHERE name = 'acme';
        INSERT INTO balances (org_id, account_id, balance, held, floor,
            version, last_at)
        SELECT org_id, account_id, 1000, 300, 0, 1, now() FROM accounts
        WHERE name LIKE 'h_%%' AND name NOT IN ('house', 'h0');
        INSERT INTO positions (org_id, position_id, account_id, market_id,
            outcome, qty, lock, version, last_at)
        SELECT a.org_id, nextval('position_seq'), a.account_id, m.market_id,
            CASE WHEN m.name = 'other' THEN 'yes' ELSE (ARRAY['yes', 'no',
                'void'])[1 + a.account_id %% 3] END,
            (a.account_id * 7919 %% 500000000)::int8 + 1,
            CASE m.name WHEN 'm' THEN 100 ELSE 200 END, 1, now()
        FROM accounts a JOIN ledger_markets m USING (org_id)
        WHERE a.name LIKE 'h_%%' AND a.name NOT IN ('house', 'h0')
            AND m.name IN ('m', 'other') ORDER BY a.account_id, m.market_id;
        ANALYZE accounts, balances, positions""", (count,))


def due(rows):
    """{position: minor units} by the rule of the remainder; rows: (number,
    outcome, units at scale 8) in the order of numbers."""
    owed, each = Fraction(0), {}
    for number, outcome, units in rows:
        before = owed * 100 // 1
        owed += (Fraction(units, 10 ** 8) * Fraction(PRICES.get(outcome, "0")))
        each[number] = owed * 100 // 1 - before
    return each, owed * 100 // 1


def judge(ledger, command_id):
    """Every holder is paid once, what the rule says, and nobody else."""
    rows = ledger.rows(
        "SELECT position_id, outcome, qty, p.paid, lock, a.account_id FROM "
        "positions p JOIN accounts a USING (org_id, account_id) JOIN "
        "ledger_markets m USING (org_id, market_id) WHERE m.name = 'm' "
        "ORDER BY position_id")
    each, total = due([r[:3] for r in rows])
    wrong = [r for r in rows if r[3] != each[r[0]] or r[4] != 0]
    assert not wrong, (len(wrong), wrong[:3])
    state, reserved, sum_paid, unpaid, holders, unpaid_holders, page = (
        market(ledger))
    assert (state, reserved, sum_paid, unpaid, holders, unpaid_holders) == (
        "settled", total, total, 0, len(rows), 0)
    assert page == -(-len(rows) // 500)
    # by the postings: one to each who is owed something, in pages
    got = dict(ledger.rows(
        "SELECT p.account_id, array_agg(p.amount::int8) FROM postings p JOIN "
        "command_log l USING (org_id, batch, pos) WHERE l.type = 'market.pay' "
        "AND p.amount > 0 GROUP BY 1"))
    assert got == {r[5]: [each[r[0]]] for r in rows if each[r[0]] > 0}
    assert ledger.value(
        "SELECT sum(p.amount)::int8 FROM postings p JOIN command_log l USING "
        "(org_id, batch, pos) JOIN accounts a ON a.org_id = p.org_id AND "
        "a.account_id = p.account_id WHERE l.type = 'market.pay' AND "
        "a.name = 'payer'") == -total
    pages = [r[0] for r in ledger.rows(
        "SELECT (convert_from(command, 'UTF8')::jsonb ->> 'page')::int8 FROM "
        "command_log WHERE type = 'market.pay' ORDER BY batch, pos")]
    assert pages == list(range(1, page + 1))
    assert ledger.value("SELECT count(*) FROM command_log WHERE id::text = %s",
                        command_id) == 1


def payer_of_pages(ledger, writers):
    """The one with the market's stream, if it lives."""
    owner = ledger.value(
        "SELECT owner FROM consumer_partitions JOIN ledger_markets m "
        "USING (stream) WHERE m.name = 'm'")
    return next((w for w in writers if w.running() and
                 f"--client_id={owner}" in w.process.args), None)


def test_every_holder_is_paid_once_though_writers_are_killed_half_way(ledger):
    """Trades on the market are refused meanwhile; skims of the same holders
    over their other market go on, and so do transfers of the payer."""
    writers = ledger.writers({"client_id": "w0"}, {"client_id": "w1"})
    ledger.open_books()
    applied(ledger, *[command("account.open", account=n, asset="USD")
                      for n in ("payer", "h0")])
    applied(ledger, transfer("house", "payer", "90000000.00"),
            transfer("house", "h0", "10.00"),
            command("pool.deploy", market="other", address="0x1"))
    applied(ledger, trade("h0", "m"), trade("h0", "other"))
    make_holders(ledger, HOLDERS)
    settle = command("market.settle", **{"from": "payer"}, market="m",
                     payouts=PRICES)
    ledger.send(settle)
    answer = ledger.answer(settle, 60)
    assert answer["status"] == "applied", answer
    pages = -(-(HOLDERS + 1) // 500)
    skims, refused, moves, number = [], [], [], 0

    def reached(part):
        state, *_, page = market(ledger)
        return state == "settled" or page >= part * pages
    for part in (*KILLS, 1):
        while not reached(part):
            number += 1
            page = market(ledger)[6]
            some = [min(HOLDERS, 1 + page * 500 + 131 * number % 900),
                    1 + 977 * number % HOLDERS]
            skims += [trade(f"h{i}", "other", "3", "1.50",
                            skim={"amount": "0.25", "to": "b"}) for i in some]
            refused += [trade(f"h{some[0]}", "m"),
                        command("pool.deploy", market="m", address="0x2")]
            moves += [transfer("payer", "b", "1.00")]
            ledger.send(*skims[-2:], *refused[-2:], moves[-1])
            until(lambda: ledger.answers_of(moves[-1]["id"]) or reached(part),
                  60, "an answer, or the page")
        if market(ledger)[0] == "settled":
            break
        at = until(lambda: payer_of_pages(ledger, writers), 60,
                   "a living writer has the market")
        at.kill()
        writers.append(ledger.writer(client_id=f"w{len(writers)}",
                                     wait_ready=False))
        print(f"killed at page {market(ledger)[6]} of {pages}")
    until(lambda: market(ledger)[0] == "settled", 180, "the market is settled")
    for cmd in skims + moves:
        assert ledger.answer(cmd, 60)["status"] in (
            "applied", "insufficient_funds"), ledger.answer(cmd)
    assert sum(ledger.answer(c)["status"] == "applied" for c in skims) > 3
    for cmd in refused:
        assert ledger.answer(cmd, 60)["status"] == "market_settled"
    judge(ledger, settle["id"])
    # what is held is what the other market's positions lock
    assert ledger.rows("SELECT * FROM check_held") == []
    assert ledger.value("SELECT held FROM balances JOIN accounts USING "
                        "(org_id, account_id) WHERE name = 'payer'") == 0
    killed = sum(not w.running() for w in writers)
    took = ledger.value("SELECT extract(epoch FROM max(decided_at) - "
                        "min(decided_at)) FROM command_log "
                        "WHERE type = 'market.pay'")
    most = max(peak(w) for w in writers if w.running())
    print(f"{HOLDERS} holders, {pages} pages in {took} s, {killed} kills, "
          f"{len(skims)} skims; {most} MiB")
    assert killed >= 2
    assert most <= 64
    ledger.check_numbers()


def test_closed_holders_skims_and_a_payer_who_holds_equal_the_model(
        ledger, tmp_path):
    """Made by commands only, so that the serial model judges all of it: pages
    in their real order between skims that move the locks of what they pay."""
    first, second = ledger.writers({"client_id": "w0"}, {"client_id": "w1"})
    ledger.open_books()
    names = [f"h{i}" for i in range(1100)]
    rich, poor = names[:1000], names[1000:]
    opens = groups(lambda n: command("account.open", account=n, asset="USD"),
                   ["payer", *names])
    applied(ledger, *opens)
    applied(ledger, *groups(lambda n: transfer("house", n, "10.00"), rich),
            transfer("house", "payer", "50000.00"))
    applied(ledger, trade("h0", "m"), trade("h0", "other"))  # both are born
    trades = groups(lambda n: trade(n, "m", f"{int(n[1:]) % 97}.123",
                                    "2.00" if n in rich else "0"), names)
    trades += groups(lambda n: trade(n, "other", "1", "1.50"), rich)
    applied(ledger, *trades, trade("payer", "m", "77", "3.00"))
    applied(ledger, *groups(lambda n: command("account.close", account=n),
                            poor[:70]))
    settle = command("market.settle", **{"from": "payer"}, market="m",
                     payouts={"yes": "0.333333"})
    skims = [trade(n, "other", "2", "1.00", skim={"amount": "0.07", "to": "b"})
             for n in rich[::7]]
    begun = ledger.consumed()
    ledger.send(settle, *skims[:40])
    until(lambda: ledger.rows("SELECT FROM ledger_markets WHERE name = 'm' "
                              "AND page > 0"), 60, "a page", every=0.002)
    owner = ledger.value("SELECT owner FROM consumer_partitions JOIN "
                         "ledger_markets m USING (stream) WHERE m.name = 'm'")
    (first if owner == "w0" else second).kill()
    ledger.send(*skims[40:])
    ledger.wait_consumed(begun + 1 + len(skims))
    summary = ledger_oracle.assert_equal(ledger, tmp_path)
    state, reserved, sum_paid, unpaid, holders, unpaid_holders, page = (
        market(ledger))
    print(summary, f"{owner} killed, {page} pages, {unpaid} of {reserved} "
          f"unpaid")
    assert (state, holders, unpaid_holders, page) == (
        "settled", 1101 - 70, 70, 3)
    assert sum_paid + unpaid == reserved and unpaid > 0
    assert any(ledger.answer(c)["status"] == "applied" for c in skims)
    ledger.check_books()


def test_trades_of_a_settled_market_leave_the_feed_after_a_week(ledger):
    """However it ended: with a winner, 50/50, or void with nothing to pay.
    price-cache knows none of these markets."""
    ledger.writer()
    ledger.open_books()
    applied(ledger, transfer("house", "a", "100.00"))
    ends = {"winner": {"yes": "1", "no": "0"},
            "half": {"yes": "0.5", "no": "0.5"}, "void": {"yes": "0"},
            "open": None}
    names = {}
    for n, (end, payouts) in enumerate(ends.items()):
        key, public = public_trade(n)
        names[key] = end
        ledger.kafka.produce(ledger.trades, [(key, public)])
        applied(ledger, trade("a", key, "4", "1.00"))
        if payouts:
            applied(ledger, command("market.settle", **{"from": "house"},
                                    market=key, payouts=payouts))
    ledger.wait_consumed(len(ends), topic=ledger.trades)
    until(lambda: ledger.value("SELECT count(*) FROM ledger_markets WHERE "
                               "state = 'settled'") == 3, 60, "all are paid")

    def feed():
        return {names[key] for key, in ledger.rows(
            "SELECT condition_id FROM trades_feed")}
    for days, shown in ((6, set(ends)), (8, {"open"})):
        ledger.rows("UPDATE ledger_markets SET last_at = now() - %s * "
                    "interval '1 day' RETURNING 1", days)
        assert feed() == shown, days
