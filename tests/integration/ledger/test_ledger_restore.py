"""The drill of docs/operator.md, "A break": a balance is changed by hand, the
reconciler pauses, the page's SQL restores it, and trading goes on."""

import subprocess

import psycopg2
import pytest

from harness.cell import ROOT
from harness.wait import until
from ledger_console import Console
from ledger_kit import transfer

PAGE = (ROOT / "docs" / "operator.md").read_text()
KEY = "balances/acme/a"


def page_sql():
    """The page's block, about the account that is wrong here."""
    block = PAGE.split("### A break")[1].split("```sql\n")[1].split("```")[0]
    assert "'user:1'" in block
    return block.replace("'user:1'", "'a'")


class Drill:
    def __init__(self, ledger, daemons):
        self.ledger, self.daemons = ledger, daemons
        self.url = ledger.cell.url("owner", ledger.database)
        db = ledger.cell.connect("superuser", ledger.database)
        with db.cursor() as cur:
            cur.execute(f"GRANT CREATE ON DATABASE {ledger.database} TO "
                        "ch_operator")
        db.close()
        self.console = Console(ledger)
        ledger.writer()
        ledger.open_books()
        ledger.do(transfer("house", "a", "5.00"))

    def damage(self):
        """7.00 more than its postings say."""
        assert self.ledger.rows(
            "UPDATE balances SET balance = balance + 700 WHERE account_id = "
            "(SELECT account_id FROM accounts WHERE name = 'a') "
            "RETURNING 1") == [(1,)]

    def pause(self):
        self.daemons("reconciler", interval="100ms", fold_every="200ms",
                     full_every="1h", database_url=self.ledger.cell.url(
                         "reconciler", self.ledger.database))
        until(lambda: self.ledger.rows("SELECT scope FROM pauses")
              == [("acme",)], 60, "acme is paused")
        return self.ledger.value("SELECT difference::text FROM breaks "
                                 "WHERE break_key = %s", KEY)

    def psql(self, text):
        ran = subprocess.run(["psql", "-X", self.url], input=text, text=True,
                             capture_output=True, timeout=60)
        assert ran.returncode == 0, (ran.stdout, ran.stderr)
        return ran.stdout

    def restore(self):
        out = self.psql(page_sql())
        until(lambda: self.ledger.value(
            "SELECT state FROM breaks WHERE break_key = %s", KEY)
            == "resolved", 60, "the break is resolved")
        return out

    def resume(self):
        self.ledger.rows("SELECT resume('acme', 'restored', 'me', "
                         "override => 'a test')")


@pytest.fixture
def drill(ledger, daemons):
    return Drill(ledger, daemons)


def test_a_balance_is_restored_and_trading_goes_on(ledger, drill):
    drill.damage()
    assert drill.pause() == "700"
    assert ledger.do(transfer("a", "b", "1.00"))["status"] == "trading_paused"
    with pytest.raises(psycopg2.Error, match="trading is not paused"):
        ledger.rows("SELECT resume('trading', 'x', 'me')")

    out = drill.restore()
    assert "acme/a#0 | 1200   | 500" in out
    assert ledger.rows("SELECT actor, reason, before, after FROM audit_events"
                       " WHERE action = 'restore_balance'") == [
        ("you", "changed by hand, ticket 7", 1200, 500)]
    drill.resume()
    answer = ledger.do(transfer("a", "b", "1.00"))
    assert answer["balances"][0]["balance"] == "4.00"
    ledger.check_books()
    assert ledger.rows("SELECT what FROM check_account('acme', 'a') WHERE "
                       "NOT ok") == []
    assert "equal: " in drill.console.ok("replay", "--into=after")
    # done again it changes nothing
    assert "(0 rows)" in drill.psql(page_sql())


def test_what_was_posted_on_a_wrong_balance_is_named_for_good(ledger, drill):
    drill.damage()
    # nobody watches yet: a command is decided on the wrong balance
    wrong = transfer("a", "b", "1.00")
    assert ledger.do(wrong)["balances"][0]["balance"] == "11.00"
    assert drill.pause() == "700"
    drill.restore()
    drill.resume()
    ledger.check_books()
    assert ledger.rows("SELECT what, found FROM check_account('acme', 'a') "
                       "WHERE NOT ok") == [("running balance", 1)]
    assert ledger.do(transfer("a", "b", "1.00"))["balances"][0]["balance"] \
        == "3.00"
    text = drill.console.ok("replay", "--into=after", status=2)
    assert f"answer of {wrong['id']} (transfer.post, " in text
    assert "NOT EQUAL: 1 rows of the books and 1 answers differ" in text


def test_a_transfer_does_not_mend_a_balance(ledger, drill):
    drill.damage()
    ledger.do(transfer("a", "house", "7.00"))
    assert ledger.rows("SELECT difference FROM check_balances") == [(700,)]
