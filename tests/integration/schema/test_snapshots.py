"""Snapshots of the books: everything in them, at one vector, and verified
against the postings although batches commit out of order."""

import psycopg2
import pytest

from schema_rows import Rows, past_is_over


def run(db, text, *args):
    with db.cursor() as cur:
        cur.execute(text, args or None)
        return cur.fetchall() if cur.description else None


def take(db):
    """Its id."""
    return run(db, "SELECT ch.take_snapshot('me', 'nightly')")[0][0] \
        .strip("()").split(",")[0]


def verify(db, snapshot, more="", at_once=False):
    if not at_once:
        past_is_over(db, snapshot)
    return run(db, f"SELECT what, subject, expected, found FROM "
               f"ch.verify_snapshot({snapshot}, 'me'{more})")


def test_a_snapshot_holds_every_row_and_the_vector(db, connect):
    for org in ("acme", "zorg"):
        Rows(db, org).everything()
    operator = connect()
    foreseen = run(operator, "SELECT table_name, row_count FROM "
                   "ch.take_snapshot('me', 'x', dry_run => true)")
    assert run(db, "SELECT 1 FROM snapshots") == []
    snapshot = take(operator)
    tables = [t for t, in run(db, "SELECT table_name FROM snapshot_tables()")]
    assert [t for t, _ in foreseen] == tables
    for table, rows in foreseen:
        assert rows > 0, table
        assert run(db, f"SELECT {snapshot}, t.* FROM {table} t EXCEPT ALL "
                   f"TABLE snapshot_{table}") == [], table
        assert run(db, f"SELECT count(*) FROM snapshot_{table}") == [(rows,)]
    assert run(db, "SELECT next_offset, next_log_seq FROM snapshot_streams") \
        == run(db, "SELECT next_offset, next_log_seq FROM consumer_partitions")
    assert verify(operator, snapshot, ", dry_run => true") == []
    assert run(db, "SELECT verified_at FROM snapshots") == [(None,)]
    assert verify(operator, snapshot) == []
    assert run(db, "SELECT verified_by, base_id FROM snapshots "
               "WHERE verified_at IS NOT NULL") == [("me", None)]
    assert run(db, "SELECT action, actor FROM audit_events WHERE action LIKE "
               "'%snapshot' ORDER BY event_id") == [
        ("take_snapshot", "me"), ("verify_snapshot", "me")]


def test_every_table_of_the_books_is_in_it(db):
    # what has an organisation and is not in a snapshot, and why
    left_out = {
        "postings": "kept for good; the balances are their sums",
        "command_log": "it is what is replayed",
        "answers": "no answer changes the books",
        "ledger_buckets": "the reconciler's sums",
        "reader_orgs": "who may read",
        "sealed_postings": "sums of postings; the balances are",
    }
    tables = {t for t, in run(
        db, "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON "
        "a.attrelid = c.oid AND a.attname = 'org_id' WHERE c.relkind IN "
        "('r', 'p') AND NOT c.relispartition AND c.relnamespace = "
        "'ch'::regnamespace AND c.relname NOT LIKE 'snapshot%'")}
    taken = {t for t, in run(db, "SELECT table_name FROM snapshot_tables()")}
    assert tables - taken == set(left_out)
    assert taken - tables == {"pauses"}


def test_it_is_one_moment_although_batches_commit_around_it(
        db, connect):
    acme = Rows(db, "acme")
    acme.account("bank")
    acme.account("user")
    slow = Rows(connect("owner"), "acme", part=1)
    slow.accounts = {"a": acme.account("a"), "b": acme.account("b")}
    slow.db.autocommit = False
    slow.post([("a", "b", 5)])            # drew 1, stays open
    late = run(slow.db, "SELECT last_value FROM batch_seq")[0][0]
    acme.post([("bank", "user", 100)])    # drew 2, committed
    operator = connect()
    first = take(operator)
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState):
        verify(operator, first, at_once=True)  # 1 may still be anything
    acme.post([("bank", "user", 30)])     # 3: after the snapshot
    slow.db.commit()
    assert verify(operator, first) == []
    assert run(db, "SELECT batches_out FROM snapshots") == [([late],)]
    assert run(db, "SELECT name, balance FROM snapshot_balances JOIN accounts "
               "USING (org_id, account_id) ORDER BY 1") == [
        ("a", 0), ("b", 0), ("bank", -100), ("user", 100)]
    # the next one stands on the first: 1 and 3 are new in it
    second = take(operator)
    assert verify(operator, second) == []
    assert run(db, "SELECT base_id, batches_out FROM snapshots ORDER BY "
               "snapshot_id DESC LIMIT 1") == [(int(first), [])]
    assert verify(operator, second, ", from_nothing => true") == []


@pytest.mark.parametrize("damage, found", [
    ("UPDATE balances SET balance = balance + 1 WHERE account_id = "
     "(SELECT account_id FROM accounts WHERE name = 'user')",
     ("balance", "user", 9750, 9751)),
    ("UPDATE balances SET held = held + 7 WHERE account_id = "
     "(SELECT account_id FROM accounts WHERE name = 'user')",
     ("held", "user", 500, 507)),
    ("UPDATE ledger_markets SET unpaid = unpaid - 3 WHERE name = 's'",
     ("held", "bank", 503, 500)),
    ("UPDATE stock SET reserved = 4", ("reserved", "widget", 3, 4)),
    ("UPDATE orders SET filled = 26", ("filled", "o1", 25, 26)),
    ("UPDATE positions SET paid = 399 WHERE paid = 400",
     ("paid", "s", 399, 400)),
    ("DELETE FROM postings WHERE account_id = "
     "(SELECT account_id FROM accounts WHERE name = 'bank')",
     ("balance", "bank", 0, -10000)),
])
def test_a_snapshot_that_differs_is_not_verified(db, connect, damage, found):
    Rows(db, "acme").everything()
    operator = connect()
    good = take(operator)
    assert verify(operator, good) == []
    run(db, damage)
    bad = take(operator)
    if "DELETE" in damage:  # under the base: only from nothing shows it
        assert verify(operator, bad, ", dry_run => true") == []
        assert verify(operator, bad, ", from_nothing => true") == [found]
    else:
        assert verify(operator, bad) == [found]
    assert run(db, "SELECT snapshot_id FROM snapshots WHERE verified_at IS "
               "NOT NULL") == [(int(good),)]


def test_it_must_be_the_first_write_of_its_transaction(connect, db):
    operator = connect()
    with pytest.raises(psycopg2.errors.ActiveSqlTransaction):
        run(operator, "BEGIN; SELECT ch.audit_letters('dlq.import', 'topic a', "
            "'me', 'x', '{}'); "
            "SELECT ch.take_snapshot('me', 'x')")
    run(operator, "ROLLBACK")
    # READ COMMITTED and SERIALIZABLE alike
    run(operator, "BEGIN ISOLATION LEVEL SERIALIZABLE; "
        "SELECT ch.take_snapshot('me', 'x'); COMMIT")
    assert run(db, "SELECT count(*) FROM snapshots") == [(1,)]


def test_the_newest_verified_snapshot_stays(db, connect):
    Rows(db, "acme").everything()
    operator = connect()
    first, second = take(operator), take(operator)
    assert verify(operator, first) == []

    def drop(snapshot, more=""):
        return run(operator, f"SELECT ch.drop_snapshot({snapshot}, 'me', "
                   f"'old'{more})")[0][0]
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState):
        drop(first)
    assert verify(operator, second) == []
    assert drop(first, ", dry_run => true") > 17
    assert run(db, "SELECT count(*) FROM snapshots") == [(2,)]
    assert drop(first) > 17
    for table, in run(db, "SELECT table_name FROM snapshot_tables()"):
        assert run(db, f"SELECT DISTINCT snapshot_id FROM snapshot_{table}") \
            == [(int(second),)]
