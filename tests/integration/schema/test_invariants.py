"""The views that show what is wrong: silent on right books, and each naming
the row that was bent."""

import pytest

from schema_rows import Rows

VIEWS = ("transfers", "balances", "floors", "held", "stock", "orders",
         "markets", "references", "log_seq")


def run(db, text, *args):
    with db.cursor() as cur:
        cur.execute(text, args or None)
        return cur.fetchall() if cur.description else None


def broken(db):
    return [row for view in VIEWS for row in run(
        db, "SELECT break_key, expected, found, difference FROM "
        f"check_{view} ORDER BY 1")]


@pytest.fixture
def acme(db):
    Rows(db, "zorg").everything()
    rows = Rows(db, "acme").everything()
    assert broken(db) == []
    return rows


@pytest.mark.parametrize("damage, rows", [
    ("UPDATE balances SET held = held + 7 WHERE account_id = {user}",
     [("held/acme/user", 500, 507, 7)]),
    ("UPDATE holds SET state = 'voided' WHERE name = 'h1' AND org_id = {org}",
     [("held/acme/user", 200, 500, 300)]),
    ("UPDATE positions SET lock = lock + 1 WHERE account_id = {user} AND "
     "lock > 0", [("held/acme/user", 501, 500, -1)]),
    ("UPDATE ledger_markets SET unpaid = unpaid + 100 WHERE name = 's' AND "
     "org_id = {org}", [("held/acme/bank", 400, 500, 100)]),
    ("UPDATE ledger_markets SET state = 'settled' WHERE name = 's' AND "
     "org_id = {org}", [("held/acme/bank", 0, 500, 500)]),
    ("UPDATE positions SET paid = paid - 5 WHERE paid > 0 AND account_id = "
     "{user}", [("markets/acme/s/paid", 395, 400, 5)]),
    ("UPDATE ledger_markets SET reserved = 499 WHERE name = 's' AND "
     "org_id = {org}", [("held/acme/bank", -1, 500, 501),
                        ("markets/acme/s/reserved", 499, 500, 1)]),
    ("DELETE FROM order_fills WHERE fill = 'f2' AND org_id = {org}",
     [("orders/acme/o1", 10, 25, 15)]),
    ("DELETE FROM orders WHERE org_id = {org}",
     [("orders/acme/#{order}", 25, 0, -25),
      ("references/acme/order_fills/f1", 1, 0, -1),
      ("references/acme/order_fills/f2", 1, 0, -1)]),
    # a row that wandered to another organisation
    ("UPDATE holds SET org_id = {zorg}, name = 'x' WHERE name = 'h1' AND "
     "org_id = {org}",
     [("held/acme/user", 200, 500, 300),
      ("held/zorg/#{user}", 300, 0, -300),
      ("references/zorg/holds/x", 1, 0, -1)]),
    ("UPDATE postings SET org_id = {zorg} WHERE account_id = {user} AND "
     "amount = 10000",
     [(None, 0, -10000, -10000), (None, 0, 10000, 10000),
      ("balances/acme/user", -250, 9750, 10000),
      ("balances/zorg/#{user}", 10000, None, -10000)]),
    ("UPDATE accounts SET scale = 3 WHERE account_id = {user}",
     [("references/acme/accounts/user", 1, 0, -1)]),
    # shards: the sum of a command goes over them
    ("UPDATE postings SET amount = amount + 1 WHERE shard = 1 AND org_id = "
     "{org}", [(None, 0, 1, 1), ("balances/acme/fees#1", 251, 250, -1)]),
])
def test_what_is_bent_is_named(db, acme, damage, rows):
    names = {"org": acme.org_id, "user": acme.accounts["user"],
             "zorg": run(db, "SELECT org_id FROM orgs WHERE name = 'zorg'"
                         )[0][0],
             "order": run(db, "SELECT order_id FROM orders WHERE org_id = %s",
                          acme.org_id)[0][0]}
    run(db, damage.format(**names))
    found = [(None if key.startswith("transfers/") else key, *rest)
             for key, *rest in broken(db)]
    assert sorted(found, key=str) == sorted(
        [(key and key.format(**names), *rest) for key, *rest in rows],
        key=str)


def test_the_views_and_the_reconcilers_checks_are_the_same(db):
    # references is for auditors: it reads everything
    import pathlib
    text = pathlib.Path(__file__).parents[3].joinpath(
        "services/reconciler/checks.c").read_text()
    for view in VIEWS:
        assert (f'"pause_{view}"' in text) == (view != "references")
