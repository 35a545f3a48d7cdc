"""What is asked each second stays cheap however much lies there. Counted, not
timed: calls of a function, entries read from an index."""

import uuid

import pytest

LETTERS = 300


@pytest.fixture
def sql(cell, database):
    """Run as superuser, who may count calls; in one transaction."""
    db = cell.connect("superuser", database)
    db.autocommit = False

    def run(text, *args):
        with db.cursor() as cur:
            cur.execute(text, args or None)
            return cur.fetchall() if cur.description else []
    run("SET track_functions = 'all'")
    yield run
    db.close()


def calls(sql, function):
    rows = sql("SELECT calls FROM pg_stat_xact_user_functions "
               "WHERE funcname = %s", function)
    return rows[0][0] if rows else 0


def entries_read(sql, index):
    return sql("SELECT coalesce(sum(pg_stat_get_xact_tuples_returned(relid)),"
               " 0)::int8 FROM pg_partition_tree(%s)", f"ch.{index}")[0][0]


def test_letters_that_wait_are_not_looked_up_in_the_log(sql):
    sql("SELECT ch.ensure_partitions()")
    sql("INSERT INTO ch.dead_letters (letter_id, source, row_id, topic, "
        "error_class, reason, attempts, blocks_key) SELECT gen_random_uuid(), 'ledger', "
        "'1-' || n, 't', 'X', 'refused', 1, false FROM generate_series(1, %s) n",
        LETTERS)
    replayed = str(uuid.UUID(int=1))
    sql("UPDATE ch.dead_letters SET letter_id = %s WHERE row_id = '1-1'",
        replayed)
    sql("INSERT INTO ch.letter_states (letter_id, state) VALUES (%s, "
        "'replayed')", replayed)
    assert sql("SELECT state, count(*) FROM ch.letters GROUP BY 1 ORDER BY 1") \
        == [("pending", LETTERS - 1), ("replayed", 1)]
    assert calls(sql, "letter_resolved") == 1


def test_the_rows_beyond_the_log_are_probed_not_counted(sql):
    sql("INSERT INTO ch.answers (stream, log_seq, batch, pos, decided_at, "
        "id_text, status, result) SELECT 1, n, 1, n, now(), 't', 's', '{}' "
        "FROM generate_series(1, 5000) n")
    before = entries_read(sql, "answers_stream")
    assert sql("SELECT * FROM ch.log_seq_beyond(1, 5001)") == []
    assert entries_read(sql, "answers_stream") == before
    assert sql("SELECT * FROM ch.log_seq_beyond(1, 1)") == [(1, 100, 100)]
    assert entries_read(sql, "answers_stream") - before <= 200


@pytest.mark.parametrize("function", ["log_seq_beyond", "log_seq_breaks"])
def test_the_logs_checks_start_no_parallel_workers(sql, function):
    """Called for each stream each second: starting them costs more than the
    rows do."""
    assert sql("SELECT 'max_parallel_workers_per_gather=0' = ANY (proconfig) "
               "FROM pg_proc WHERE proname = %s", function) == [(True,)]
