"""What a batch costs is bounded by what it does, never by what its producers
chose: memory below 64 MiB, and rows read once.

VmHWM is the writer's own; debug builds stay below the same limit."""

import pathlib
import re

import ledger_kit
from ledger_kit import command, peak, transfer
from ledger_markets import applied, market, trade

LIMIT = 64  # MiB
SQL = pathlib.Path(__file__).resolve().parents[3] / "services/ledger-writer/sql"


def planned(ledger, name, types, args):
    """The plan with which the writer's statement ran, and its rows."""
    with ledger.db.cursor() as cur:
        cur.execute(f"PREPARE it ({types}) AS " + (SQL / name).read_text())
        cur.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) "
                    f"EXECUTE it ({args})")
        plan = "\n".join(r[0] for r in cur.fetchall())
        cur.execute(f"EXECUTE it ({args})")
        rows = cur.fetchall()
        cur.execute("DEALLOCATE it")
        return plan, rows


# ---- settlements ----

def make_outcomes(ledger, account, name, outcomes):
    """One position in each of so many outcomes, as if they had been traded."""
    ledger.db.cursor().execute("""
        INSERT INTO positions (org_id, position_id, account_id, market_id,
            outcome, qty, lock, version, last_at)
        SELECT a.org_id, nextval('position_seq'), a.account_id, m.market_id,
            'outcome ' || i, 100000000, 0, 1, now()
        FROM accounts a JOIN ledger_markets m USING (org_id),
            generate_series(1, %s) i
        WHERE a.name = %s AND m.name = %s;
        ANALYZE positions""", (outcomes, account, name))


def test_a_settlement_costs_what_it_pays_whatever_outcomes_there_are(ledger):
    """Outcomes are free text: a market may have any number of them."""
    writer = ledger.writer()
    ledger.open_books()
    applied(ledger, trade("a", "m"), trade("a", "n"),
            transfer("house", "b", "100.00"))
    make_outcomes(ledger, "a", "m", 10000)
    for dry_run in ({"dry_run": True}, {}):
        settle = command("market.settle", market="m", **{"from": "b"},
                         payouts={"yes": "1", "outcome 7": "0.5",
                                  "nobody's": "2"}, **dry_run)
        assert ledger.do(settle)["status"] == "applied"
    assert market(ledger)[1] == 150  # of 1 * 1 + 1 * 0.5
    print(f"{peak(writer)} MiB")
    assert peak(writer) <= LIMIT


def test_a_settlement_reads_its_own_market_once(ledger):
    """Not the others of its batch, not once for each payout, and nothing of
    one that is settled."""
    ledger.writer()
    ledger.open_books()
    applied(ledger, trade("a", "m"), trade("a", "n"),
            transfer("house", "b", "100.00"))
    make_outcomes(ledger, "a", "m", 3000)
    org = ledger.value("SELECT org_id FROM orgs WHERE name = 'acme'")
    args = f"'{{{org}}}', '{{m}}', '{{1,1,1}}', '{{yes,outcome 7,none}}'"
    types = "int4[], text[], int8[], text[]"
    plan, rows = planned(ledger, "sum_holdings.sql", types, args)
    assert sorted(rows) == [(1, "100000000"), (2, "100000000")], rows
    assert re.findall(r"Scan.* on positions \S+ \((actual .*)\)", plan) == [
        "actual rows=3001 loops=1"], plan
    ledger.do(command("market.settle", market="m", **{"from": "b"},
                      payouts={"yes": "1"}))
    plan, rows = planned(ledger, "sum_holdings.sql", types, args)
    assert rows == [] and "on positions p (never executed)" in plan, plan


# ---- what is due ----

def test_a_sweep_reads_no_more_than_it_settles(ledger):
    """Of an account with any number of due holds, in the order of their ends
    and then of their numbers."""
    writer = ledger.writer()
    ledger.open_books()
    writer.stop()
    ledger.db.cursor().execute("""
        INSERT INTO holds (org_id, hold_id, account_id, name, amount,
            expires_at, stream, last_at)
        SELECT org_id, nextval('hold_seq'), account_id, 'h' || i, 1,
            '2020-01-01'::timestamptz + ((i / 300) * interval '1 second'),
            (SELECT min(stream) FROM consumer_partitions), now()
        FROM accounts a, generate_series(1, 20000) i WHERE a.name = 'a';
        INSERT INTO reservations (org_id, reservation_id, sku_id, name, qty,
            expires_at, stream, last_at)
        SELECT org_id, nextval('reservation_seq'), sku_id, 'r' || i, 1,
            '2020-01-01'::timestamptz + ((i / 300) * interval '1 second'),
            (SELECT min(stream) FROM consumer_partitions), now()
        FROM skus s, generate_series(1, 20000) i WHERE s.name = 's';
        ANALYZE holds, reservations""")
    for name, table, number, owner in (
            ("lock_due_holds.sql", "holds", "hold_id",
             "account_id FROM accounts WHERE name = 'a'"),
            ("lock_due.sql", "reservations", "reservation_id",
             "sku_id FROM skus WHERE name = 's'")):
        (org, key), = ledger.rows(f"SELECT org_id, {owner}")
        plan, rows = planned(
            ledger, name, "int4[], int8[], timestamptz, int8, int8[]",
            f"'{{{org}}}', '{{{key}}}', now(), 1000, '{{}}'")
        first = ledger.rows(f"SELECT {number} FROM {table} "
                            f"ORDER BY expires_at, {number} LIMIT 1000")
        assert [r[1] for r in rows] == [r[0] for r in first]
        read = [int(n) for n in re.findall(
            rf" on {table} \S+ \(actual rows=(\d+) ", plan)]
        assert read and max(read) <= 1000, plan
