"""A partition begun at another offset: what the call changes, what it refuses,
and who may make it. With a real topic: ledger/test_ledger_fences.py."""

import threading

import psycopg2
import pytest

from harness.cell import ROOT
from harness.wait import until

CALL = "SELECT * FROM ch.restart_partition('t', 3, %s, %s, %s"


@pytest.fixture
def operator(cell, database):
    db = cell.connect("operator", database)
    yield db
    db.close()


@pytest.fixture
def partition(db):
    """Owned by a backend that is gone."""
    run(db, "INSERT INTO consumer_partitions (topic, part, epoch, owner, "
        "backend_pid, backend_start, next_offset, next_log_seq, cluster_id, "
        "topic_id) VALUES ('t', 3, 7, 'w1', 1, now(), 500, 612, 'c', 'id')")


def run(db, text, *args):
    with db.cursor() as cur:
        cur.execute(text, args or None)
        return cur.fetchall() if cur.description else None


def restart(operator, offset=0, actor="me", reason="remade", more=""):
    return run(operator, f"{CALL}{more})", offset, actor, reason)


def stored(db):
    return run(db, "SELECT epoch, owner, next_offset, next_log_seq, "
               "cluster_id, topic_id FROM consumer_partitions "
               "WHERE topic = 't'")


def test_the_offset_moves_the_epoch_rises_and_the_log_goes_on(
        partition, operator, db):
    said = [("cluster_id", "c", ""), ("decided", "{}", "{[0,500)}"),
            ("epoch", "7", "8"),
            ("next_log_seq", "612", "612"), ("next_offset", "500", "20"),
            ("owner", "w1", ""), ("topic_id", "id", "")]
    assert restart(operator, 20, more=", dry_run => true") == said
    assert stored(db) == [(7, "w1", 500, 612, "c", "id")]
    assert run(db, "SELECT * FROM audit_events") == []
    assert restart(operator, 20) == said
    assert stored(db) == [(8, "", 20, 612, "", "")]
    assert run(db, "SELECT actor, action, subject, reason, "
               "before->>'next_offset', after->>'next_offset' "
               "FROM audit_events") == [
        ("me", "restart_partition", "t/3", "remade", "500", "20")]


def test_an_owner_that_lives_is_refused_or_ended(partition, operator, db,
                                                 cell, database):
    writer = cell.connect("writer", database)
    (pid,), = run(writer, "SELECT pg_backend_pid()")
    run(db, "UPDATE consumer_partitions SET backend_pid = %s, backend_start = "
        "(SELECT backend_start FROM pg_stat_activity WHERE pid = %s)", pid,
        pid)
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState,
                       match=f"its owner w1 lives .backend {pid}."):
        restart(operator)
    assert restart(operator, more=", true, true")  # would end it
    assert run(writer, "SELECT 1") == [(1,)]
    assert stored(db)[0][0] == 7
    restart(operator, more=", end_owner => true")
    with pytest.raises(psycopg2.OperationalError):
        run(writer, "SELECT 1")
    assert stored(db)[0][:3] == (8, "", 0)
    assert run(db, "SELECT action, subject FROM audit_events "
               "ORDER BY event_id") == [
        ("terminate_backend", str(pid)), ("restart_partition", "t/3")]


def test_an_owner_that_claims_meanwhile_is_ended_too_and_both_are_recorded(
        partition, operator, db, cell, database):
    claim = (ROOT / "services/ledger-writer/sql/claim_partition.sql"
             ).read_text().replace("$1", "'t'").replace("$2", "3")
    first, second = (cell.connect("writer", database) for _ in range(2))
    run(first, claim.replace("$3", "'w1'"))
    # in a batch: the next claim waits for it, and the restart behind the claim
    run(first, "BEGIN; UPDATE consumer_partitions SET next_offset = 501")
    claiming = threading.Thread(target=run, args=(
        second, claim.replace("$3", "'w2'")))
    claiming.start()
    until(lambda: run(db, "SELECT 1 FROM pg_locks WHERE pid = %s AND NOT "
                      "granted", second.info.backend_pid), 60, "it waits")
    restart(operator, more=", end_owner => true")
    claiming.join(60)
    *ended, last = run(db, "SELECT action, subject FROM audit_events ORDER BY "
                       "event_id")
    assert last == ("restart_partition", "t/3")
    owners = [("terminate_backend", str(writer.info.backend_pid))
              for writer in (first, second)]
    if ended == owners[:1]:  # it was so slow that it claimed afterwards
        assert stored(db)[0][:3] == (10, "w2", 0)
        return
    assert ended == owners
    assert stored(db) == [(10, "", 0, 612, "", "")]
    for writer in (first, second):
        with pytest.raises(psycopg2.OperationalError):
            run(writer, "SELECT 1")


def test_another_backend_with_the_same_pid_is_no_owner(partition, operator,
                                                       db, cell, database):
    other = cell.connect("writer", database)
    (pid,), = run(other, "SELECT pg_backend_pid()")
    run(db, "UPDATE consumer_partitions SET backend_pid = %s, backend_start = "
        "now() - interval '1 day'", pid)
    restart(operator, more=", end_owner => true")
    assert run(other, "SELECT 1") == [(1,)]
    other.close()


@pytest.mark.parametrize("offset, actor, reason", [
    (-1, "me", "x"), (None, "me", "x"), (0, "", "x"), (0, "me", "")])
def test_what_is_refused(partition, operator, db, offset, actor, reason):
    with pytest.raises(psycopg2.errors.InvalidParameterValue):
        restart(operator, offset, actor, reason)
    assert stored(db)[0][0] == 7


def test_a_partition_that_is_not_there_and_other_roles(operator, cell,
                                                       database):
    with pytest.raises(psycopg2.errors.NoDataFound, match="no partition t/3"):
        restart(operator)
    for role in ("writer", "relay", "reconciler"):
        db = cell.connect(role, database)
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            restart(db)
        db.close()


def decided(db):
    return run(db, "SELECT decided::text, begun_at, decided_of, cut_at "
               "FROM consumer_partitions WHERE topic = 't'")[0]


def test_what_was_decided_is_remembered_without_what_was_not(
        partition, operator, db):
    restart(operator, 700)  # 500 to 699 are skipped
    assert decided(db) == ("{[0,500)}", 700, "id", None)
    run(db, "UPDATE consumer_partitions SET next_offset = 720")
    restart(operator, 600)
    restart(operator, 550)  # nothing was read in between
    assert decided(db) == ("{[0,500),[700,720)}", 550, "id", None)
    run(db, "UPDATE consumer_partitions SET next_offset = 710, cut_at = 705, "
        "topic_id = 'id'")
    restart(operator, 705)  # of the log, what is there from 705 on is new
    assert decided(db) == ("{[0,500),[550,705)}", 705, "id", None)
