"""Rate limits are exact: however many writers there are, wherever the records
come, whoever is killed, whenever a rule is changed."""

import random

import ledger_oracle
from harness.wait import until
from ledger_kit import command, transfer


class Rules:
    """Rate rules set as an operator does."""

    def __init__(self, ledger):
        self.ledger = ledger

    def set(self, name, most, scope="actor", org="acme", shares=1,
            types=("transfer.post",), per="1 hour"):
        with self.ledger.cell.connect(
                "operator", self.ledger.database).cursor() as cur:
            cur.execute("SELECT set_rate_rule(%s, %s, %s, %s, %s, %s, %s, "
                        "'op', 'test')", (name, org, scope, list(types), most,
                                          per, shares))

    def drop(self, name):
        with self.ledger.cell.connect(
                "operator", self.ledger.database).cursor() as cur:
            cur.execute("SELECT drop_rate_rule(%s, 'op', 'test')", (name,))


def spend(actor, count):
    return [transfer("house", "a", "0.01", actor=actor) for _ in range(count)]


def passed(ledger, cmds, seconds=60):
    """How many were applied; all others were refused by a rate limit."""
    answers = [ledger.answer(c, seconds) for c in cmds]
    by = {s: sum(a["status"] == s for a in answers)
          for s in {a["status"] for a in answers}}
    assert set(by) <= {"applied", "rate_limited"}, by
    assert all("rate" in a for a in answers)
    return by.get("applied", 0)


def test_an_actor_has_one_window_through_all_partitions_and_writers(
        ledger, tmp_path):
    """Killed at random between and inside of batches: what was counted and
    what was applied are one transaction."""
    writers = ledger.writers({"batch_records": 5}, {"batch_records": 7})
    ledger.open_books()
    rules = Rules(ledger)
    rules.set("each", 150)
    rng = random.Random(1)
    cmds = {"x": [], "y": []}
    for turn in range(5):
        pieces = []
        for part in range(4):
            both = spend("x", 15) + spend("y", 4)
            rng.shuffle(both)
            for cmd in both:
                cmds[cmd["actor"]].append(cmd)
            pieces.append((part, both))
        before = ledger.consumed()
        ledger.at_once([w for w in writers if w.running()], *pieces)
        if turn in (1, 3):
            until(lambda: ledger.consumed() > before + 5, 60, "some are done",
                  every=0.001)
            victim = rng.choice([w for w in writers if w.running()])
            victim.kill()
            writers.append(ledger.writer(trades_topics="", wait_ready=False))
    assert passed(ledger, cmds["x"]) == 150
    assert passed(ledger, cmds["y"]) == 80
    # more of them while everything runs: then so many more may pass
    rules.set("each", 170)
    more = spend("x", 30)
    for part in range(4):
        ledger.send(*more[part::4], partition=part)
    assert passed(ledger, more) == 20
    rules.drop("each")
    free = spend("x", 10)
    ledger.send(*free)
    assert all("rate" not in ledger.answer(c) and
               ledger.answer(c)["status"] == "applied" for c in free)
    rules.set("each", 3)  # made anew: its windows begin empty
    again = spend("x", 10)
    ledger.send(*again)
    assert passed(ledger, again) == 3
    ledger.check_books()
    ledger_oracle.assert_equal(ledger, tmp_path)


def test_an_organisation_has_its_share_in_each_partition(ledger, tmp_path):
    """most 10 in 4 shares: 3, 3, 2, 2; another organisation has its own."""
    ledger.writers({"batch_records": 5}, {"batch_records": 7})
    ledger.open_books()
    Rules(ledger).set("all", 10, scope="org", org=None, shares=4,
                      types=("transfer.post", "group"))
    for part, share in enumerate((3, 3, 2, 2)):
        cmds = spend("x", 4) + spend("y", 3)
        ledger.send(*cmds, partition=part)
        assert passed(ledger, cmds) == share
        assert {ledger.answer(c)["rate"]["limit"] for c in cmds} == {share}
    other = [command("transfer.post", org="globex", moves=[
        {"from": "a", "to": "b", "amount": "1"}]) for _ in range(5)]
    ledger.send(*other, partition=0)
    assert [ledger.answer(c)["status"] for c in other] == (
        ["account_not_found"] * 3 + ["rate_limited"] * 2)
    ledger_oracle.assert_equal(ledger, tmp_path)
