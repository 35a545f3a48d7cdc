"""A partition is told of twice: PostgreSQL (15.18) may leave a session without
one that was attached while the session was opening the table.

The session is stopped at that place by a lock on pg_class: it has read which
partitions there are, and wants to know what the first of them is. Where
PostgreSQL mends it the session knows at once, and these pass all the same."""

import threading

from harness.wait import until

WAITING = ("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = %s AND "
           "relation = 'pg_class'::regclass")
AHEAD = "(now() AT TIME ZONE 'UTC')::date + 2"
ROW = ("INSERT INTO outbox (seq, id, aggregatetype, aggregateid, type, "
       "payload, created_at) VALUES (1, gen_random_uuid(), 't', 'a', 'e', "
       f"'{{}}', ({AHEAD} + time '12:00') AT TIME ZONE 'UTC')")


def run(db, text, *args):
    with db.cursor() as cur:
        cur.execute(text, args or None)
        return cur.fetchall() if cur.description else None


def opens_meanwhile(session, owner, table, attach):
    """session opens the table while attach() attaches a partition to it."""
    # all that it will want of pg_class but the partitions
    run(session, "SELECT count(*) FROM answers")
    run(session, "SELECT has_table_privilege(%s, 'select'), "
        "pg_relation_size(%s)", table, table)
    pid = session.get_backend_pid()
    owner.autocommit = False
    run(owner, "LOCK pg_class IN ACCESS EXCLUSIVE MODE")
    reading = threading.Thread(
        target=run, args=(session, f"SELECT count(*) FROM {table}"))
    reading.start()
    until(lambda: run(owner, WAITING, pid) == [(1,)], 20, "it opens the table")
    attach()
    owner.commit()
    owner.autocommit = True
    reading.join()


def test_what_a_session_missed_it_is_told(connect):
    session, owner = connect("reconciler"), connect("superuser")
    opens_meanwhile(session, owner, "outbox", lambda: run(
        owner, f"SELECT ensure_partition('outbox', {AHEAD})"))
    run(owner, ROW)

    def told():
        assert run(owner, "SELECT ensure_partitions()") == [(0,)]
        return run(owner, "SELECT count(*) FROM untold_partitions") == [(0,)]
    until(told, 20, "they are told")
    assert run(session, "SELECT count(*) FROM outbox") == [(1,)]


def test_a_table_that_somebody_locks_is_told_later(connect):
    owner, other = connect("superuser"), connect("superuser")
    run(owner, f"SELECT ensure_partition('outbox', {AHEAD}), "
        f"ensure_partition('answers', {AHEAD})")
    run(owner, "UPDATE untold_partitions SET made_at = now() - interval '1 h'")
    other.autocommit = False
    run(other, "LOCK TABLE ONLY outbox IN SHARE UPDATE EXCLUSIVE MODE")
    assert run(owner, "SELECT ensure_partitions()") == [(0,)]
    assert run(owner, "SELECT parent::text FROM untold_partitions") == [
        ("outbox",)]
    other.rollback()
    run(owner, "SELECT ensure_partitions()")
    assert run(owner, "SELECT count(*) FROM untold_partitions") == [(0,)]


def test_what_the_owner_asked_of_the_column_stays(connect):
    owner = connect("superuser")
    run(owner, "ALTER TABLE ONLY outbox ALTER COLUMN seq SET STATISTICS 77")
    run(owner, f"SELECT ensure_partition('outbox', {AHEAD})")
    run(owner, "UPDATE untold_partitions SET made_at = now() - interval '1 h'")
    run(owner, "SELECT ensure_partitions()")
    assert run(owner, "SELECT attstattarget FROM pg_attribute WHERE attrelid "
               "= 'outbox'::regclass AND attname = 'seq'") == [(77,)]
