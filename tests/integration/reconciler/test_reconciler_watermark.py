"""Batch numbers are no watermark: 2 may commit before 1. What is not settled
is never folded, whatever the order of commits; a long transaction elsewhere
stops the fold, not the checks."""

import random
import threading

import psycopg2

from harness.wait import until
from reconciler_books import Books, one, open_breaks, views


def watermark(db):
    return one(db, "SELECT watermark FROM reconcile_progress")


def settled(db, batch):
    return until(lambda: watermark(db) >= batch, 60, f"batch {batch} folded")


def rounds(daemon, n=5):
    name = "reconciler_check_duration_seconds_count"
    before = daemon.metric(name, check="log_seq")
    until(lambda: daemon.metric(name, check="log_seq") >= before + n, 60,
          f"{n} rounds")


def bucket(db, account):
    return one(db, "SELECT posted FROM ledger_buckets JOIN reconcile_progress"
               " USING (gen) WHERE account_id = %s", (account,))


def test_a_batch_that_commits_late_is_not_skipped(db, connect, reconciler):
    slow, quick = Books(connect()), Books(connect(), part=1)
    a, b, c = (quick.account(n) for n in ("a", "b", "house"))
    daemon = reconciler(fold_every="50ms", interval="50ms")
    before = quick.post((b, c, 1))
    settled(db, before)
    held = slow.begin()       # draws its number first ...
    slow.write(held, [(a, c, 10)])
    later = None
    for _ in range(5):        # ... and others commit after it
        later = quick.post((b, b, 100))
    assert later > held
    rounds(daemon, 10)
    assert watermark(db) < held
    assert open_breaks(db) == []
    slow.sql("COMMIT")
    settled(db, later)
    rounds(daemon)
    assert open_breaks(db) == [] == views(db)
    assert bucket(db, a) == -10
    assert bucket(db, c) == 11


def test_the_newest_transaction_of_all_is_waited_for_too(
        db, connect, reconciler):
    """The one whose xid lies above every ended one: a snapshot's xmax does
    not tell of it, and it holds the last number drawn."""
    slow, quick = Books(connect()), Books(connect(), part=1)
    a, c = quick.account("a"), quick.account("house")
    quick.post((a, c, 1))
    held = slow.begin()  # nothing else draws an xid after this one
    slow.write(held, [(a, c, 10)])
    daemon = reconciler(fold_every="50ms", interval="50ms")
    rounds(daemon, 20)
    assert watermark(db) < held
    slow.sql("COMMIT")
    settled(db, held)
    assert bucket(db, a) == -11
    rounds(daemon)
    assert open_breaks(db) == []


def test_a_batch_that_rolls_back_leaves_nothing(db, connect, reconciler):
    slow, quick = Books(connect()), Books(connect(), part=1)
    a, c = quick.account("a"), quick.account("house")
    daemon = reconciler(fold_every="50ms", interval="50ms")
    held = slow.begin()
    slow.write(held, [(a, c, 10)])
    rounds(daemon)
    slow.sql("ROLLBACK")
    last = quick.post((a, c, 3))
    settled(db, last)
    rounds(daemon)
    assert open_breaks(db) == []
    assert bucket(db, a) == -3


def test_random_orders_of_commits(db, connect, reconciler):
    """Several writers that hold their transactions for random times: never a
    break, and the sums are those of all postings."""
    daemon = reconciler(fold_every="50ms", interval="50ms",
                        full_every="400ms")
    writers = [Books(connect(), part=n) for n in range(4)]
    accounts = [[w.account(f"u{n}:{i}") for i in range(5)]
                for n, w in enumerate(writers)]
    stop = threading.Event()
    counts = [0] * len(writers)

    def work(n):
        rng = random.Random(n)
        while not stop.is_set():
            batch = writers[n].begin()
            writers[n].write(batch, [
                (*rng.sample(accounts[n], 2), rng.randint(1, 99))
                for _ in range(rng.randint(1, 3))])
            stop.wait(rng.random() * 0.3)
            writers[n].sql("ROLLBACK" if rng.random() < 0.2 else "COMMIT")
            counts[n] += 1
    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    try:
        until(lambda: sum(counts) > 150, 60, "150 batches")
    finally:
        stop.set()
        for t in threads:
            t.join()
    # the last numbers may belong to batches that rolled back: the watermark
    # reaches the sequence all the same
    last = one(db, "SELECT last_value FROM batch_seq")
    settled(db, last)
    rounds(daemon)
    assert one(db, "SELECT count(*) FROM breaks") == 0, daemon.logged()
    assert one(db, """
        SELECT count(*) FROM (SELECT account_id, sum(amount) AS s
            FROM postings GROUP BY 1) p
        FULL JOIN (SELECT account_id, posted FROM ledger_buckets
            JOIN reconcile_progress USING (gen)) k USING (account_id)
        WHERE p.s IS DISTINCT FROM k.posted""") == 0


def test_a_long_transaction_stops_the_fold_not_the_checks(
        db, connect, books, reconciler):
    a, c = books.account("a"), books.account("house")
    other = connect()
    other.cursor().execute("BEGIN; SELECT pg_current_xact_id()")
    daemon = reconciler(fold_every="50ms")
    books.post((a, c, 4))
    rounds(daemon)
    assert watermark(db) == 0
    books.sql("UPDATE balances SET balance = balance + 1 "
              "WHERE account_id = %s", (a,))
    until(lambda: open_breaks(db) == ["balances/acme/a"], 60, "found")
    other.cursor().execute("COMMIT")
    until(lambda: watermark(db) >= 1, 60, "folded")
    assert open_breaks(db) == ["balances/acme/a"]


def test_a_full_verification_counts_what_was_sealed(db, books, connect,
                                                    reconciler):
    a, b = books.account("user:1"), books.account("house")
    for amount in (1250, 30):
        books.post((a, b, amount))
    operator = connect("operator")
    with db.cursor() as cur:
        # as if that had been three days ago
        cur.execute("UPDATE retention SET lowest_day = lowest_day - 5 WHERE "
                    "table_name = 'postings'")
        cur.execute("SELECT current_date - 3")
        day = cur.fetchone()[0]
        cur.execute("SELECT ensure_partition('postings', %s)", (day,))
        cur.execute("UPDATE postings SET decided_at = decided_at - "
                    "interval '3 days'")
    daemon = reconciler(full_every="300ms")
    until(lambda: one(db, "SELECT sum(n) = 4 FROM ledger_buckets JOIN "
                      "reconcile_progress USING (gen)"), 60, "folded")
    with operator.cursor() as cur:
        cur.execute("SELECT ch.set_keep_days('postings', 2, 'me', 'seal')")
        cur.execute("SELECT snapshot_id FROM ch.take_snapshot('me', 'seal')")
        snapshot = cur.fetchone()[0]

        def done(statement):
            """It may be refused while the reconciler is at it."""
            try:
                cur.execute(statement)
                return True
            except psycopg2.errors.ObjectNotInPrerequisiteState:
                return False
        until(lambda: done(f"SELECT ch.verify_snapshot({snapshot}, 'me')"),
              60, "verified")
        until(lambda: done(
            f"SELECT ch.confirm_archive(ch.record_archive('postings', "
            f"'{day}', 'f', '{'0' * 64}', 4, 'me'), '{'0' * 64}', 4, 'me', "
            "'seal')"), 60, "archived")
        until(lambda: done(f"SELECT ch.drop_day('postings', '{day}', "
                           "'me', 'seal')"), 60, "sealed")
    books.post((a, b, 7))
    assert one(db, "SELECT count(*) FROM postings") == 2
    fulls = daemon.metric("reconciler_full_verifications_total")
    until(lambda: daemon.metric("reconciler_full_verifications_total") >=
          fulls + 3, 60, "three full verifications")
    assert one(db, "SELECT count(*) FROM breaks") == 0
    assert views(db) == []
