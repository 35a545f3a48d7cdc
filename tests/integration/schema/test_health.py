"""ch.health() names what makes hot rows slow, and what to do."""

import threading

import psycopg2
import pytest

from harness.wait import until
from schema_rows import Rows, past_is_over


def run(db, text, *args):
    with db.cursor() as cur:
        cur.execute(text, args or None)
        return cur.fetchall() if cur.description else None


def ill(db, looker="test"):
    """{name: (subject, value, mend)} of what is not ok."""
    return {name: rest for name, *rest in run(
        db, "SELECT name, subject, value, mend FROM ch.health(%s) "
        "WHERE NOT ok", looker)}


# what other tests' sessions or a slow machine may bring about
ELSEWHERE = {"slot_wal_bytes", "oldest_snapshot_seconds", "lock_wait_seconds"}


def test_a_fresh_database_is_well_whoever_asks(connect):
    for role in ("writer", "reconciler", "operator"):
        assert set(ill(connect(role))) <= ELSEWHERE
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ill(connect("reader"))


@pytest.mark.parametrize("role, begin", [
    ("reader", "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1"),
    ("owner", "BEGIN; SELECT txid_current()")])  # no snapshot, but a number
def test_what_keeps_dead_rows_is_named_with_its_mending(connect, role, begin):
    holder = connect(role)
    run(holder, begin)
    (pid,), = run(holder, "SELECT pg_backend_pid()")
    asked = connect()
    # it is seen although another role holds it, and before it is too old
    subject, value = run(
        asked, "SELECT subject, value FROM ch.health('x') WHERE name = "
        "'oldest_snapshot_seconds'")[0]
    assert value > 0 or subject != ""

    def named():
        found = ill(asked).get("oldest_snapshot_seconds")
        return found and f"pid {pid} " in found[0] and found
    _, value, mend = until(named, 60, "named", every=1)
    assert value > 10 and f"pg_terminate_backend({pid})" in mend


def test_the_nightly_copy_of_the_books_may_take_its_time(connect):
    """It is older than the other one, and not what is named."""
    copy, holder, asked = connect("operator"), connect("reader"), connect()
    run(copy, "SET application_name = 'ledger-writer upkeep'")
    run(copy, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
    (pid,), = run(copy, "SELECT pg_backend_pid()")
    until(lambda: run(copy, "SELECT clock_timestamp() - now() > "
                      "interval '11 s'")[0][0], 60, "a long copy", every=1)
    found = ill(asked).get("oldest_snapshot_seconds")
    assert found is None or f"pid {pid} " not in found[0]
    run(holder, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
    (pid,), = run(holder, "SELECT pg_backend_pid()")

    def named():
        found = ill(asked).get("oldest_snapshot_seconds")
        return found and f"pid {pid} " in found[0]
    until(named, 60, "the other one", every=1)


def test_a_lock_that_is_waited_for_is_named(connect, db):
    Rows(db, "acme").account("a")
    holder, waiter, asked = connect("owner"), connect("owner"), connect()
    run(holder, "BEGIN; UPDATE balances SET held = held")
    (pid,), = run(holder, "SELECT pg_backend_pid()")
    waits = threading.Thread(target=run, args=(
        waiter, "UPDATE balances SET held = held"))
    waits.start()

    def named():
        found = ill(asked).get("lock_wait_seconds")
        return found and f"behind {pid}," in found[0]
    until(named, 60, "named")
    run(holder, "ROLLBACK")
    waits.join(10)


def test_a_missing_partition_of_tomorrow_is_named(connect, db):
    name = run(db, "SELECT 'ch.' || partition_name('answers', (now() AT TIME "
               "ZONE 'UTC')::date + 1)")[0][0]
    run(db, f"DROP TABLE {name}")
    asked = connect()
    subject, value, mend = ill(asked)["missing_partitions"]
    assert (subject, value) == ("answers", 1) and "ensure_partitions" in mend
    run(db, "SELECT ensure_partitions()")
    assert "missing_partitions" not in ill(asked)


def test_upkeep_that_nobody_did_is_named(connect, db):
    asked = connect()
    run(db, "UPDATE retention SET first_day = current_date - 4")
    subject, value, mend = ill(asked)["books_snapshot_seconds"]
    assert subject == "no verified snapshot" and value > 172800
    assert "ledger-writer upkeep" in mend
    # one that is not verified does not count
    (id_,), *_ = run(asked, "SELECT snapshot_id FROM ch.take_snapshot('me', "
                     "'x')")
    assert "books_snapshot_seconds" in ill(asked)
    past_is_over(asked, id_)
    run(asked, "SELECT ch.verify_snapshot(%s, 'me')", id_)
    assert "books_snapshot_seconds" not in ill(asked)
    run(db, "UPDATE snapshots SET taken_at = now() - interval '50 hours'")
    assert ill(asked)["books_snapshot_seconds"][0] == f"snapshot {id_}"

    run(db, "UPDATE retention SET lowest_day = current_date - 60")
    for ago in (33, 32):
        run(db, "SELECT ensure_partition('trades_public', (now() AT TIME ZONE "
            "'UTC')::date - %s)", ago)
    subject, value, mend = ill(asked)["overdue_days"]
    assert (subject, value) == ("trades_public", 1)  # the other has a night left
    assert "ledger-writer upkeep" in mend
    run(db, "SELECT drop_due_days('trades_public', 'me', 'x')")
    assert "overdue_days" not in ill(asked)


def seen(db, table, counter, least):
    """The statistics of other sessions arrive a moment later."""
    until(lambda: run(db, f"SELECT {counter} >= %s FROM hot_counters() WHERE "
                      "table_name = %s", least, table)[0][0], 60,
          f"{counter} of {table}")


def scan(connect, times):
    other = connect("owner")
    # each worker of a parallel one would count
    run(other, "SET max_parallel_workers_per_gather = 0")
    for _ in range(times):
        run(other, "SELECT sum(balance) FROM balances")
    other.close()


def fill(db, rows, count):
    run(db, "INSERT INTO balances (org_id, account_id, last_at) SELECT %s, i, "
        "now() FROM generate_series(1, %s) i", rows.org_id, count)
    seen(db, "balances", "live", count)


def scans(db):
    (count,), = run(db, "SELECT seq_scans FROM hot_counters() WHERE "
                    "table_name = 'balances'")
    return count


def scanned(connect, db, times):
    """So often since the last look, and as if that was 20 s ago."""
    least = scans(db) + times
    scan(connect, times)
    seen(db, "balances", "seq_scans", least)
    run(db, "UPDATE health_marks SET looked_at = clock_timestamp() - interval "
        "'20 s' WHERE looker = 'test'")


def test_sequential_scans_of_a_large_table_count_since_the_last_look(
        connect, db):
    rows = Rows(db, "acme")
    scan(connect, 90)
    asked = connect()
    ill(asked)
    seen(db, "balances", "seq_scans", 90)
    assert "sequential_scans" not in ill(asked)  # a small table

    def rate(looker="test"):
        return run(asked, "SELECT value FROM ch.health(%s) WHERE name = "
                   "'sequential_scans' AND subject = 'balances'", looker)[0][0]
    assert rate() == 0
    fill(db, rows, 20000)
    ill(asked)
    # now and then: a look at the books, the reconciler's checks
    scanned(connect, db, 3)
    assert "sequential_scans" not in ill(asked)
    scanned(connect, db, 120)  # as often as batches come
    subject, value, mend = ill(asked)["sequential_scans"]
    assert subject == "balances" and 5 < value <= 6
    assert "ANALYZE ch.balances" in mend
    # another looker has a count of its own, and ours began anew
    assert "sequential_scans" not in ill(asked)
    assert "sequential_scans" not in ill(asked, "new")


def test_scans_of_a_huge_table_are_few_and_seen_all_the_same(connect, db):
    """One after another they take a second each and more."""
    rows = Rows(db, "acme")
    asked = connect()
    fill(db, rows, 1000000)
    ill(asked)
    scanned(connect, db, 60)
    subject, value, _ = ill(asked)["sequential_scans"]
    assert subject == "balances" and 1 < value <= 3.05


def test_a_full_verification_is_no_plan_that_has_turned(connect, db):
    # old days are read whole by the reconciler alone
    run(db, "UPDATE retention SET lowest_day = current_date - 60")
    for ago in range(2, 42):
        run(db, "SELECT ensure_partition('postings', (now() AT TIME ZONE "
            "'UTC')::date - %s)", ago)
    run(db, "SELECT count(*) FROM postings")
    until(lambda: run(db, "SELECT sum(seq_scan) >= 42 FROM "
                      "pg_stat_user_tables WHERE relname ~ '^postings_'"
                      )[0][0], 60, "the scan")
    assert run(db, "SELECT seq_scans <= 3 FROM hot_counters() WHERE "
               "table_name = 'postings'") == [(True,)]


def test_what_cannot_be_hot_is_no_fault(connect, db):
    """Rows whose end moves them out of an index: a healthy fleet makes these
    by the minute."""
    rows = Rows(db, "acme")
    for table in ("reservations", "holds"):
        run(db, f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
    run(db, "INSERT INTO reservations (org_id, reservation_id, sku_id, name, "
        "qty, stream, last_at) SELECT %s, i, 1, i, 1, 1, now() FROM "
        "generate_series(1, 20000) i", rows.org_id)
    run(db, "INSERT INTO holds (org_id, hold_id, account_id, name, amount, "
        "stream, last_at) SELECT %s, i, 1, i, 1, 1, now() FROM "
        "generate_series(1, 20000) i", rows.org_id)
    run(db, "UPDATE reservations SET state = 'committed'")
    run(db, "UPDATE holds SET state = 'captured'")
    for table in ("reservations", "holds"):
        seen(db, table, "updates", 20000)
    assert set(ill(connect())) <= ELSEWHERE
    # and vacuum comes early: not only when a fifth of the table is dead
    assert run(db, "SELECT relname FROM pg_class WHERE relkind = 'r' AND "
               "relname = ANY (ARRAY(SELECT table_name FROM hot_tables() WHERE updated AND "
               "table_name <> 'consumer_partitions')) AND NOT "
               "reloptions @> '{autovacuum_vacuum_scale_factor=0.02}'") == []


def test_a_ratio_is_of_many_updates_and_the_mark_waits_for_them(
        connect, db):
    rows = Rows(db, "acme")
    asked = connect()

    def ratio():
        return float(run(asked, "SELECT value FROM ch.health('test') WHERE "
                         "name = 'hot_update_ratio' AND subject = 'stock'"
                         )[0][0])
    run(db, "ALTER TABLE stock SET (autovacuum_enabled = off)")
    run(db, "INSERT INTO stock (org_id, sku_id, last_at) SELECT %s, i, now() "
        "FROM generate_series(1, 6000) i", rows.org_id)
    run(db, "VACUUM stock")
    assert ratio() == 1
    run(db, "CREATE INDEX bad ON stock (version)")
    for i in range(1, 4):
        run(db, "UPDATE stock SET version = version + 1")
        seen(db, "stock", "updates", 6000 * i)
        # of the looks in between none takes the updates away
        assert ratio() == (1 if i == 1 else 0)
    run(db, "DROP INDEX bad")
    run(db, "VACUUM stock")
    assert ratio() == 0
    run(db, "UPDATE stock SET version = version + 1")
    seen(db, "stock", "updates", 24000)
    assert 0.4 < ratio() <= 0.5  # of the two updates since the mark one
    # who has not asked for a week is forgotten
    run(db, "UPDATE health_marks SET looked_at = now() - interval '8 days'")
    ill(asked, "other")
    assert run(db, "SELECT DISTINCT looker FROM health_marks") == [("other",)]


def test_updates_that_are_not_hot_and_dead_rows_are_named(connect, db):
    rows = Rows(db, "acme")
    run(db, "ALTER TABLE stock SET (autovacuum_enabled = off)")
    run(db, "INSERT INTO stock (org_id, sku_id, last_at) SELECT %s, i, now() "
        "FROM generate_series(1, 4000) i", rows.org_id)
    run(db, "CREATE INDEX bad ON stock (version)")
    for _ in range(4):
        run(db, "UPDATE stock SET version = version + 1")
    seen(db, "stock", "updates", 16000)
    found = ill(connect())
    subject, value, mend = found["hot_update_ratio"]
    assert (subject, value) == ("stock", 0) and "index" in mend
    subject, value, mend = found["dead_rows"]
    assert subject == "stock" and value > 10000 and "VACUUM" in mend


def test_a_role_that_is_not_set_up_is_named(cell, database, connect):
    superuser = psycopg2.connect(cell.url("superuser", database))
    superuser.autocommit = True
    asked = connect()
    try:
        run(superuser, "ALTER ROLE ch_writer NOBYPASSRLS")
        assert "ALTER ROLE ch_writer BYPASSRLS" in \
            ill(asked)["writer_passes_row_security"][2]
    finally:
        run(superuser, "ALTER ROLE ch_writer BYPASSRLS")
        superuser.close()


def test_it_is_cheap(connect):
    # no table of the books is read: nothing is scanned but catalogs
    asked = connect("owner")
    run(asked, "SELECT ch.health('x')")
    before = run(asked, "SELECT sum(seq_scan + coalesce(idx_scan, 0)) FROM "
                 "pg_stat_xact_user_tables WHERE relname NOT IN "
                 "('health_marks', 'retention', 'snapshots')")
    run(asked, "BEGIN; SELECT ch.health('x')")
    assert run(asked, "SELECT coalesce(sum(seq_scan + coalesce(idx_scan, 0)),"
               " 0) FROM pg_stat_xact_user_tables WHERE relname NOT IN "
               "('health_marks', 'retention', 'snapshots')") == [(0,)], before
    run(asked, "COMMIT")
