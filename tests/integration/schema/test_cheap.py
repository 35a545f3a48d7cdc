"""What is asked each second stays cheap however much lies there. Counted, not
timed: calls of a function, entries read from an index."""

import uuid

import pytest

from harness.cell import ROOT

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
    run("SET search_path = ch")
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


def test_a_page_of_an_export_reads_what_is_behind_it_once(sql):
    """To sort it; nothing before it, and nothing to count it."""
    sql("INSERT INTO ch.dead_letters (letter_id, source, row_id, topic, "
        "error_class, reason, attempts, blocks_key, parked_at) "
        "SELECT gen_random_uuid(), 'ledger', '1-' || n, 't', 'X', 'refused', "
        "1, false, now() + n * interval '1 ms' "
        "FROM generate_series(1, 20000) n")
    sql("ANALYZE ch.dead_letters")
    folder = ROOT / "services/outbox-relay/sql"
    text = (folder / "letters_find.sql").read_text()
    for mark, words in (
            ("{where}", (folder / "letters_where.sql").read_text()),
            ("{filter}", "true"), ("{value}", "value"),
            ("({fitting})", "(SELECT FROM fitting LIMIT $7 + 1)")):
        assert mark in text
        text = text.replace(mark, words)
    for n in range(1, 7):
        text = text.replace(f"${n}", "'pending'" if n == 5 else "NULL")
    (after,), = sql("SELECT letter_id FROM ch.dead_letters "
                    "WHERE row_id = '1-15000'")
    before = tuples_read(sql)
    page = sql(text.replace("$7", "100").replace("$8", f"'{after}'"))
    assert [row[5] for row in page] == [f"1-{n}" for n in range(15001, 15101)]
    assert page[0][21] == 101
    assert tuples_read(sql) - before < 7500  # 5000 are behind it


def tuples_read(sql):
    """Of dead_letters, from the table or from an index."""
    return sql("SELECT sum(pg_stat_get_xact_tuples_returned(c.oid))::int8 "
               "FROM pg_class c WHERE c.relname ~ '^dead_letters'")[0][0]


def test_a_plan_is_looked_at_without_its_letters(sql):
    """However many they are: what it sends where is kept with it."""
    text = (ROOT / "services/outbox-relay/sql/plan_targets.sql").read_text()
    plan = "\n".join(row[0] for row in sql(
        "EXPLAIN " + text.replace("$1", "1")))
    assert "replay_plan_letters" in plan
    for store in ("rejected", "dead_letters", "foreign_letters",
                  "letter_edits", "letter_states"):
        assert store not in plan


@pytest.mark.parametrize("function", ["log_seq_beyond", "log_seq_breaks"])
def test_the_logs_checks_start_no_parallel_workers(sql, function):
    """Called for each stream each second: starting them costs more than the
    rows do."""
    assert sql("SELECT 'max_parallel_workers_per_gather=0' = ANY (proconfig) "
               "FROM pg_proc WHERE proname = %s", function) == [(True,)]
