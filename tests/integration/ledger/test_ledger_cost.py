"""What a batch costs is bounded by what it does, never by what its producers
chose: memory below 64 MiB, and rows read once.

VmHWM is the writer's own; debug builds stay below the same limit."""

import json
import pathlib
import re

from harness.wait import until
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


# ---- batches ----

def make_accounts(ledger, count, balance=0, floor=None):
    """Accounts x1..xn, as if they had been opened."""
    ledger.db.cursor().execute("""
        INSERT INTO accounts (org_id, account_id, name, asset, scale)
        SELECT org_id, nextval('account_seq'), 'x' || i, 'USD', 2
        FROM orgs, generate_series(1, %s) i WHERE name = 'acme';
        INSERT INTO balances (org_id, account_id, balance, held, floor,
            version, last_at)
        SELECT org_id, account_id, %s, 0, %s, 1, now() FROM accounts
        WHERE name LIKE 'x%%';
        ANALYZE accounts, balances""", (count, balance, floor))


def make_locks(ledger, accounts, each):
    """So many positions with a lock on each account x<i> of 100,000.00 (in a
    market of its own, so that the house's sum is nobody's to check)."""
    make_accounts(ledger, accounts, balance=10000000)
    ledger.db.cursor().execute("""
        INSERT INTO positions (org_id, position_id, account_id, market_id,
            outcome, qty, lock, version, last_at)
        SELECT a.org_id, nextval('position_seq'), a.account_id, m.market_id,
            'outcome ' || i, 100000000, 1000, 1, now()
        FROM accounts a, ledger_markets m, generate_series(1, %s) i
        WHERE a.name LIKE 'x%%' AND m.name = 'm';
        UPDATE balances b SET held = 1000 * %s FROM accounts a
        WHERE a.org_id = b.org_id AND a.account_id = b.account_id
            AND a.name LIKE 'x%%';
        ANALYZE positions, balances""", (each, each))


def skim(n, account, **fields):
    return trade(account, "other", tx=f"{account}/{n}",
                 skim={"amount": "100.00", "to": "house"}, **fields)


def applied_at_once(ledger, *cmds, status="applied"):
    """All wait when the writer starts; its peak when it has answered them."""
    before = ledger.consumed()
    ledger.send(*cmds, partition=0)
    writer = ledger.writer()
    ledger.wait_consumed(before + len(cmds), 300)
    got = dict(ledger.rows(
        "SELECT result::jsonb ->> 'status', count(*) FROM ("
        "SELECT result FROM command_log WHERE id = ANY (%s::uuid[]) "
        "UNION ALL SELECT result FROM answers WHERE id_text = ANY (%s)) r "
        "GROUP BY 1", *[[c["id"] for c in cmds]] * 2))
    most = peak(writer)
    print(f"{len(cmds)} records: {got}, {most} MiB")
    assert got == {status: len(cmds)}
    ledger.check_numbers()
    writer.stop()
    return most


def ready(ledger):
    writer = ledger.writer()
    ledger.open_books()
    applied(ledger, trade("a", "m"))
    writer.stop()


def test_transfers_of_many_moves(ledger):
    ready(ledger)
    make_accounts(ledger, 100000)
    posts = [command("transfer.post", moves=[
        {"from": f"x{64 * n + 2 * m + 1}", "to": f"x{64 * n + 2 * m + 2}",
         "amount": "0.01"} for m in range(32)]) for n in range(1500)]
    assert applied_at_once(ledger, *posts) <= LIMIT


def test_accounts_of_many_shards(ledger):
    ready(ledger)
    opened = [command("group", commands=[
        {"type": "account.open", "account": f"s{n}/{m}", "asset": "USD",
         "floor": None, "shards": 256} for m in range(64)]) for n in range(16)]
    assert applied_at_once(ledger, *opened) <= LIMIT


def test_reversals_of_members_of_large_groups(ledger):
    """A record of the log is read once for all of its members."""
    ready(ledger)
    made = [command("group", commands=[
        {"type": "transfer.post", "meta": {"x": "x" * 800}, "moves": [
            {"from": "house", "to": "a", "amount": "0.01"}]}
        for m in range(64)]) for n in range(12)]
    applied_at_once(ledger, *made)
    reversals = [command("transfer.reverse", transfer=f"{g['id']}/{m}")
                 for m in range(64) for g in made]
    assert applied_at_once(ledger, *reversals) <= LIMIT
    assert ledger.value("SELECT count(*) FROM reversals") == len(reversals)


def test_skims_of_an_account_with_many_locks_and_their_ids_again(ledger):
    """Of so large answers only as many are made, or read, as a batch holds."""
    ready(ledger)
    make_locks(ledger, 1, 4000)
    skims = [skim(n, "x1") for n in range(100)]
    assert applied_at_once(ledger, *skims) <= LIMIT
    before = ledger.consumed()
    reused = [{"id": c["id"], "org": "acme", "type": "stock.receive",
               "sku": "s", "qty": "1"} for c in skims]
    ledger.send(*reused, *skims, partition=0)
    writer = ledger.writer()
    ledger.wait_consumed(before + 200, 300)
    assert ledger.rows("SELECT status, count(*) FROM answers GROUP BY 1 "
                       "ORDER BY 1") == [("duplicate", 100),
                                         ("key_reused", 100)]
    print(f"{peak(writer)} MiB")
    assert peak(writer) <= LIMIT


def test_skims_of_many_accounts_with_many_locks(ledger):
    """The rows of one batch alone would be 400,000."""
    ready(ledger)
    make_locks(ledger, 80, 5000)
    # so small that the locks stay as they are
    assert applied_at_once(ledger, *[
        trade(f"x{n}", "other", tx=f"t{n}",
              skim={"amount": "0.01", "to": "house"})
        for n in range(1, 81)]) <= LIMIT


# ---- answers ----

def test_an_answer_fits_kafka_and_the_log_has_the_whole(ledger):
    """Of a skim of so many locks; asked again, it is the same."""
    ready(ledger)
    make_locks(ledger, 1, 9000)
    writer = ledger.writer()
    cmd = skim(1, "x1")
    ledger.send(cmd)
    answer = ledger.answer(cmd, 120)
    assert answer["status"] == "applied" and answer["truncated"] is True
    assert 4000 < len(answer["positions"]) < 9000
    assert [b["account"] for b in answer["balances"]] == ["x1", "house"]
    assert answer["trades"] == [{"tx": cmd["tx"], "state": "recorded"}]
    size, changes = ledger.rows(
        "SELECT octet_length(result), changes FROM command_log "
        "WHERE id = %s::uuid", cmd["id"])[0]
    assert size < 600000
    assert sum(c[1].startswith("x1/m/") and c[2] == "lock"
               for c in json.loads(changes)) == 9000
    assert ledger.value("SELECT count(*) FROM positions WHERE lock < 1000 "
                        "AND outcome LIKE 'outcome%%'") == 9000
    ledger.send(cmd)
    until(lambda: len(ledger.answers_of(cmd["id"])) == 2, 60, "its repetition")
    assert ledger.answers_of(cmd["id"])[1] == {**answer, "duplicate": True}
    assert peak(writer) <= LIMIT
