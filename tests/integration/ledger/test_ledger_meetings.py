"""The same through two partitions at once, to two writers that find it at the
same time; and the same names in two organisations, which never meet."""

import collections
import json

import ledger_oracle
import pytest
from ledger_kit import command, rfc3339, transfer, v7

ROUNDS = 60


@pytest.fixture
def two(ledger):
    """A ledger whose partitions 0 to 3 are shared by two writers with small
    batches, and its writers. `part` is one partition of each."""
    ledger.pair = ledger.writers({"batch_records": 4}, {"batch_records": 5})
    first = ledger.rows("SELECT owner, min(part) FROM consumer_partitions "
                        "WHERE topic = %s GROUP BY 1", ledger.topic)
    ledger.parts = sorted(part for _, part in first)
    ledger.open_books()
    return ledger


def applied(ledger, *cmds):
    ledger.send(*cmds)
    for cmd in cmds:
        assert ledger.answer(cmd)["status"] == "applied", ledger.answer(cmd)


def through_both(ledger, ones, others):
    """The commands of each list through the partition of one writer; the
    answers, list by list."""
    start = ledger.consumed()
    ledger.at_once(ledger.pair, *zip(ledger.parts, (ones, others)))
    ledger.wait_consumed(start + len(ones) + len(others))
    return [[ledger.answers_of(c["id"]) for c in cmds]
            for cmds in (ones, others)]


def retries(ledger, reason):
    return sum(w.metric("ledger_retries_total", reason=reason)
               for w in ledger.pair)


def judge(ledger, path):
    summary = ledger_oracle.assert_equal(ledger, path)
    ledger.check_books()
    deadlocks = ledger.value("SELECT deadlocks FROM pg_stat_database WHERE "
                             "datname = current_database()")
    print(summary, {r: retries(ledger, r) for r in (
        "conflict", "owner_not_locked", "transient", "lock_timeout")},
        f"deadlocks {deadlocks}")
    assert deadlocks == 0


def many_of_each(kinds):
    """Commands of these kinds, each kind in turns; kinds: functions of i."""
    return [make(i) for i in range(ROUNDS) for make in kinds]


def test_one_id_is_applied_once_whatever_the_family(two, tmp_path):
    """Those that share no row before they are made meet at a unique key."""
    applied(two, transfer("house", "a", "10000.00"))
    cmds = many_of_each((
        lambda i: command("hold.place", **{"from": "a"}, amount="1.00"),
        lambda i: command("group", commands=[
            {"type": "transfer.post", "moves": [
                {"from": "a", "to": "b", "amount": "0.50"}]},
            {"type": "hold.place", "from": "a", "amount": "0.25"},
            {"type": "stock.receive", "sku": f"g{i}", "qty": "1"}]),
        lambda i: command("account.open", account=f"n{i}", asset="USD"),
        lambda i: command("asset.define", asset=f"A{i}", scale=2),
        lambda i: command("order.place", market="m", side="BUY", qty="1"),
        lambda i: command("pool.deploy", market=f"p{i}", address="0x1"),
        lambda i: command("trade.record", account="a", market=f"t{i}",
                          outcome="yes", side="BUY", tx=f"tx{i}",
                          position="1", lock="0")))
    turned = list(reversed(cmds))
    both = through_both(two, cmds, turned)
    for answers in both[0]:
        assert len(answers) == 2, answers
        assert sorted("duplicate" in a for a in answers) == [False, True]
        assert {a["status"] for a in answers} == {"applied"}
    judge(two, tmp_path)


def statuses(lists):
    return [[a[0]["status"] for a in answers] for answers in lists]


def test_what_is_once_is_once_under_two_ids(two, tmp_path):
    """Accounts, pools, trades, holds, orders and assets of one name: one is
    made, the other is told so."""
    applied(two, transfer("house", "a", "10000.00"))

    def kinds():
        return many_of_each((
            lambda i: command("account.open", account=f"n{i}", asset="USD"),
            lambda i: command("pool.deploy", market=f"p{i}", address=f"0x{i}"),
            lambda i: command("trade.record", account="a", market=f"t{i}",
                              outcome="yes", side="BUY", tx=f"tx{i}",
                              position="1", lock="0"),
            lambda i: command("hold.place", **{"from": "a"}, amount="1.00",
                              hold=f"h{i}"),
            lambda i: command("order.place", market="m", side="BUY", qty="1",
                              order=f"o{i}"),
            lambda i: command("stock.reserve", sku="s", qty="1",
                              reservation=f"r{i}"),
            lambda i: command("asset.define", asset=f"A{i}", scale=2)))
    exists = ("account_exists", "pool_exists", "confirmed", "hold_exists",
              "order_exists", "reservation_exists", "asset_exists")
    ones, others = kinds(), kinds()
    others.reverse()
    both = through_both(two, ones, others)
    for at, one in enumerate(ones):
        pair = [both[0][at][0], both[1][-1 - at][0]]
        second = exists[at % len(exists)]
        if second == "confirmed":
            assert [a["status"] for a in pair] == ["applied"] * 2, pair
            assert sorted("confirmed" in a for a in pair) == [False, True]
        else:
            assert sorted(a["status"] for a in pair) == sorted(
                ("applied", second)), (one, pair)
        if second == "pool_exists":
            told = [a["pool"] for a in pair if "pool" in a]
            assert told == [{"market": one["market"],
                             "address": one["address"]}], pair
    judge(two, tmp_path)


def test_a_transfer_is_reversed_once_through_two_partitions(two, tmp_path):
    """Single transfers and members of a group; the postings are twice what was
    posted, once each way."""
    posts = [transfer("house", f"{'ab'[i % 2]}", "1.00")
             for i in range(ROUNDS)]
    group = command("group", commands=[
        {"type": "transfer.post", "moves": [
            {"from": "house", "to": "a", "amount": "2.00"}]}] * 20)
    applied(two, *posts, group)

    def reversals():
        names = [p["id"] for p in posts]
        names += [f"{group['id']}/{i}" for i in range(20)]
        return [command("transfer.reverse", transfer=n) for n in names]
    ones, others = reversals(), list(reversed(reversals()))
    both = statuses(through_both(two, ones, others))
    for pair in zip(both[0], reversed(both[1])):
        assert sorted(pair) == ["already_reversed", "applied"], pair
    assert two.value("SELECT count(*) FROM reversals") == len(ones)
    assert two.rows("SELECT balance FROM balances") == [(0,)] * 3
    judge(two, tmp_path)


def test_writers_that_name_rows_in_another_order_do_not_deadlock(
        two, tmp_path):
    """Orders, markets, trades and holds have no owner in common: they are
    locked in one order, however the records come."""
    accounts = [f"k{i}" for i in range(8)]
    applied(two, *[command("account.open", account=n, asset="USD")
                   for n in accounts])
    applied(two, *[transfer("house", n, "100.00") for n in accounts])
    applied(two, *[command("order.place", market="m", side="BUY", qty="1000",
                           order=f"o{i}") for i in range(8)])
    applied(two, *[command("trade.record", account=n, market=f"m{i}",
                           outcome="yes", side="BUY", tx=f"tx{i}",
                           position="1", lock="0")
                   for i, n in enumerate(accounts)])

    kinds = (lambda i: command("order.fill", order=f"o{i}", qty="1",
                               fill=v7()),
             lambda i: command("pool.deploy", market=f"m{i}", address="0x1"),
             lambda i: command("trade.record", account=accounts[i],
                               market=f"m{i}", outcome="yes", side="BUY",
                               tx=f"tx{i}", position="1", lock="0"))
    for make in kinds:  # apart, so that accounts do not order all of them
        through_both(two, [make(i % 8) for i in range(250)],
                     [make(7 - i % 8) for i in range(250)])
    judge(two, tmp_path)


# ---- organisations

def life(org):
    """Every family once, one resting on the other, all under fixed names."""
    def of(type_, **fields):
        return command(type_, org=org, **fields)
    post = of("transfer.post", moves=[
        {"from": "world", "to": "a", "amount": "100.00"}])
    return [
        of("asset.define", asset="USD", scale=2),
        of("account.open", account="world", asset="USD", floor=None),
        of("account.open", account="a", asset="USD"),
        of("account.open", account="b", asset="USD"),
        of("account.open", account="fees", asset="USD", floor=None, shards=3),
        post,
        of("transfer.reverse", transfer=post["id"]),
        of("transfer.post", moves=[
            {"from": "world", "to": "a", "amount": "90.00"}]),
        of("hold.place", **{"from": "a"}, amount="5.00", hold="h"),
        of("hold.place", **{"from": "a"}, amount="6.00", hold="v"),
        of("hold.capture", hold="h", to="b", amount="4.00"),
        of("hold.void", hold="v"),
        of("stock.receive", sku="s", qty="10"),
        of("stock.adjust", sku="s", delta="-1"),
        of("stock.reserve", sku="s", qty="3", reservation="r"),
        of("reservation.commit", reservation="r", qty="1"),
        of("order.place", market="m", side="BUY", qty="5", order="o"),
        of("order.accept", order="o"),
        of("order.fill", order="o", fill="f", qty="2"),
        of("order.cancel", order="o"),
        of("pool.deploy", market="m", address="0x1"),
        of("trade.record", account="a", market="m", outcome="yes",
           side="BUY", tx="t", position="3", lock="2.00",
           skim={"amount": "1.00", "to": "fees"}),
        of("trade.record", account="a", market="m", outcome="yes",
           side="BUY", tx="t", position="3", lock="2.00", settled=True),
        of("group", commands=[
            {"type": "account.limit", "account": "b", "floor": "-1.00"},
            {"type": "transfer.post", "moves": [
                {"from": "b", "to": "a", "amount": "5.00"}]}])]


def ending(org):
    """Its last steps: what runs out does so after all of them, however long
    the life before was."""
    def of(type_, **fields):
        return command(type_, org=org, **fields)
    soon = rfc3339(15)
    return [
        of("hold.place", **{"from": "a"}, amount="7.00", hold="e",
           expires_at=soon),
        of("stock.reserve", sku="s", qty="2", reservation="re",
           expires_at=soon),
        of("market.settle", market="m", **{"from": "world"},
           payouts={"yes": "0.333"}),
        of("account.open", account="x", asset="USD"),
        of("account.close", account="x")]


def bare(answer, org):
    """Without what belongs to the run."""
    answer = {k: v for k, v in answer.items()
              if k not in ("id", "seq", "decided_at", "org", "expires_at")}
    return json.loads(json.dumps(answer).replace(org, "ORG"))


def live_side_by_side(two, *lives):
    for cmds in zip(*lives):
        for part, cmd in zip(two.parts, cmds):
            two.send(cmd, partition=part)
        told = [bare(two.answer(c), c["org"]) for c in cmds]
        for t in told:
            for hold in t.get("holds", []) + t.get("reservations", []):
                hold.pop("expires_at", None)
        assert told[0] == told[1]
        assert told[0]["status"] == "applied", (cmds[0], told[0])


def test_the_same_names_in_two_organisations_never_meet(two, tmp_path):
    """Two live the same life at once, a third one a little of it later: each
    has the answers of one alone."""
    lives = [life("one"), life("two")]
    live_side_by_side(two, *lives)
    live_side_by_side(two, ending("one"), ending("two"))
    ledger_oracle.settled(two)
    late = [command("hold.void", org="three", hold="e"),
            command("hold.capture", org="three", hold="h", to="b"),
            command("transfer.reverse", org="three",
                    transfer=lives[0][7]["id"]),
            command("stock.reserve", org="three", sku="s", qty="1"),
            command("reservation.release", org="three", reservation="r"),
            command("order.lost", org="three", order="o"),
            command("account.close", org="three", account="a"),
            command("market.settle", org="three", market="m",
                    **{"from": "world"}, payouts={"yes": "1"}),
            command("trade.record", org="three", account="a", market="m",
                    outcome="yes", side="BUY", tx="t", position="1", lock="0")]
    two.send(*late)
    assert [two.answer(c)["status"] for c in late] == [
        "hold_not_found", "account_not_found", "transfer_not_found",
        "sku_not_found", "reservation_not_found", "order_not_found",
        "account_not_found", "account_not_found", "account_not_found"]
    by_org = collections.defaultdict(list)
    for org, *row in two.rows(
            "SELECT o.name, a.name, sum(balance)::int8, sum(held)::int8, "
            "min(floor), sum(version)::int8 FROM balances b JOIN accounts a "
            "USING (org_id, account_id) JOIN orgs o USING (org_id) WHERE "
            "o.name IN ('one', 'two') GROUP BY 1, 2 ORDER BY 2"):
        by_org[org].append(row)
    assert by_org["one"] == by_org["two"]
    judge(two, tmp_path)
