"""A plan's letters go in pages: which go together, and that each is written down
by its own acknowledgement."""

import random

import psycopg2
import pytest

from harness.wait import until
from integration.relay.test_replay_plans import (
    approved, audits, letter_headers, shown, states)

NOT_NOW = psycopg2.errors.ObjectNotInPrerequisiteState


def pages(cell):
    """Letters of each transaction that has sent some, in their order."""
    return [n for n, in cell.sql(
        "SELECT count(*) FROM letter_replays GROUP BY xmin ORDER BY "
        "min(replay_id)")]


def written_where_they_stand(cell):
    """Each letter that is sent has its own record where it says; their ids."""
    records = {(r["topic"], r["partition"], r["offset"]): letter_headers(r)
               for topic, in cell.sql("SELECT DISTINCT topic FROM letter_replays")
               for r in cell.records(topic)}
    rows = cell.sql("SELECT letter_id::text, topic, part, log_offset "
                    "FROM letter_replays ORDER BY replay_id")
    for letter, *place in rows:
        assert records[tuple(place)]["ch_letter_id"] == letter
    return [row[0] for row in rows]


def many(cell, count, part=lambda n: n % 2):
    return [cell.rejected(part=part(n), key=b"k%d" % n, value=b"%d" % n)
            for n in range(count)]


def test_letters_of_other_keys_go_together(relay_cell):
    cell = relay_cell
    letters = many(cell, 210)
    number = approved(cell, "--topic", cell.commands)
    out = cell.dlq("run", number)
    assert pages(cell) == [100, 100, 10]
    assert written_where_they_stand(cell) == letters
    assert [line.split()[0] for line in out.splitlines()
            if line.endswith("  sent")] == letters
    assert len(cell.records(cell.commands)) == 210
    assert [s for s, *_ in audits(cell, "dlq.replay")] == letters
    done = shown(cell, number)
    assert (done["state"], done["sent"], done["next_place"]) == (
        "done", 210, 211)


def test_a_page_ends_before_the_second_letter_of_a_key(relay_cell):
    cell = relay_cell
    for key in (b"a", b"b", None, None, b"a", b"c", None, b"c"):
        cell.rejected(key=key)
    cell.dlq("run", approved(cell, "--topic", cell.commands))
    assert pages(cell) == [4, 3, 1]


def test_a_page_ends_at_its_bytes(relay_cell):
    cell = relay_cell
    for n in range(6):
        cell.rejected(key=b"k%d" % n, value=b"x" * 900000)
    cell.dlq("run", approved(cell, "--topic", cell.commands))
    assert pages(cell) == [4, 2]


def test_a_page_holds_a_tenth_of_a_second_of_the_rate(relay_cell):
    cell = relay_cell
    many(cell, 5)
    cell.dlq("run", approved(cell, "--topic", cell.commands, "--rate", "29"))
    assert pages(cell) == [2, 2, 1]
    for n in range(3):
        cell.rejected(key=b"b%d" % n, value=b"x" * 100)
    cell.dlq("run", approved(cell, "--where", "bytes = 100", "--bytes-rate",
                             "2000"))
    assert pages(cell)[3:] == [2, 1]


def test_an_edit_which_decides_its_original_too_goes_alone(relay_cell):
    cell = relay_cell
    letters = many(cell, 5)
    cell.dlq("edit", letters[2], "--set-file", "/etc/hostname", "--reason", "r")
    cell.dlq("run", approved(cell, "--topic", cell.commands))
    assert pages(cell) == [2, 1, 2]
    assert states(cell)[letters[2]] == "resolved"


def test_discarded_ones_of_a_key_go_together(relay_cell):
    cell = relay_cell
    letters = [cell.rejected(key=b"a") for _ in range(5)]
    number = approved(cell, "--discard", "--topic", cell.commands)
    cell.dlq("run", number)
    assert cell.sql("SELECT count(DISTINCT xmin::text), count(*) FROM "
                    "replay_plan_letters WHERE outcome = 'discarded'") == [
        (1, 5)]
    assert [s for s, *_ in audits(cell, "dlq.discard")] == letters


def test_one_that_its_topic_refuses_takes_no_other_with_it(relay_cell, kafka):
    """A broker refuses whole batches: the others go again, alone."""
    cell = relay_cell
    small = cell.prefix + "small"
    kafka.create(small, config=["max.message.bytes=20000"])
    rng = random.Random(1)
    letters = [cell.rejected(part=n % 2, key=b"k%d" % n, value=(
        rng.randbytes(60000) if n in (7, 12) else b"%d" % n))
               for n in range(20)]
    big = {letters[7], letters[12]}
    cell.sql("UPDATE rejected SET topic = %s", (small,))
    number = approved(cell, "--topic", small)
    ran = cell.run_dlq("run", number)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert all(f"{x}  held: {small} refused it: Broker: Message size too large"
               in ran.stderr for x in big)
    done = shown(cell, number)
    assert (done["state"], done["sent"], done["held"]) == ("done", 18, 2)
    assert pages(cell) == [18]
    assert written_where_they_stand(cell) == [
        x for x in letters if x not in big]
    assert {letter_headers(r)["ch_letter_id"] for r in cell.records(small)
            } == set(letters) - big
    assert {x for x, s in states(cell).items() if s == "pending"} == big


def test_what_was_acknowledged_before_a_failure_is_kept(relay_cell, kafka):
    cell = relay_cell
    letters = many(cell, 5)
    nowhere = cell.prefix + "nowhere"
    cell.sql("UPDATE rejected SET topic = %s WHERE letter_id = %s",
             (nowhere, letters[2]))
    number = approved(cell, "--where", "attempts >= 0")
    ran = cell.run_dlq("run", number)
    assert ran.returncode == 1 and f"{nowhere} does not exist" in ran.stderr
    assert written_where_they_stand(cell) == letters[:2]
    stopped = shown(cell, number)
    assert (stopped["state"], stopped["next_place"]) == ("stopped", 3)
    assert len(cell.records(cell.commands)) == 2
    kafka.create(nowhere)
    cell.dlq("run", number)
    assert written_where_they_stand(cell) == letters
    assert len(cell.records(cell.commands)) == 4


def test_a_refused_letter_has_its_own_reason(relay_cell):
    cell = relay_cell
    letters = many(cell, 5)
    number = approved(cell, "--topic", cell.commands)
    cell.dlq("discard", letters[1], "--reason", "by hand")
    cell.dlq("replay", letters[2], "--reason", "by hand")
    cell.sql("DELETE FROM rejected WHERE letter_id = %s", (letters[3],))
    ran = cell.run_dlq("run", number)
    assert f"{letters[1]}  refused: it is discarded" in ran.stderr
    assert f"{letters[2]}  refused: it was replayed already" in ran.stderr
    assert f"{letters[3]}  refused: its row is not kept" in ran.stderr
    assert [o for o, in cell.sql("SELECT outcome FROM replay_plan_letters "
                                 "ORDER BY place")] == [
        "sent", "refused", "refused", "refused", "sent"]


def test_a_page_with_a_changed_letter_is_refused_before_any_is_sent(
        relay_cell):
    cell = relay_cell
    letters = many(cell, 5)
    number = approved(cell, *letters[:4])
    cell.sql("UPDATE replay_plan_letters SET letter_id = %s WHERE place = 4",
             (letters[4],))
    ran = cell.run_dlq("run", number)
    assert ran.returncode == 2
    assert (f"letter {letters[4]} at place 4 is not what was approved "
            "(4 letters)") in ran.stderr
    assert cell.records(cell.commands) == []
    assert shown(cell, number)["next_place"] == 1


def test_pages_that_the_database_refuses(relay_cell):
    cell = relay_cell
    letters = many(cell, 4)
    number = approved(cell, "--topic", cell.commands, "--canary", "2")
    cell.sql("UPDATE replay_plans SET state = 'running'")

    def begun(place, chosen):
        return cell.sql(f"SELECT begin_page({number}, {place}, %s::uuid[])",
                        (chosen,))
    assert begun(1, letters[:2]) == [(True,)]
    assert begun(2, letters[1:]) == [(False,)]
    for wrong in ([], None, [letters[1]], letters[1::-1], letters[:1] * 2,
                  [letters[0], None], letters + letters[:1]):
        with pytest.raises(NOT_NOW, match="is not what was approved"):
            begun(1, wrong)
    with pytest.raises(NOT_NOW, match="its canary of 2 has not passed"):
        begun(1, letters[:3])


def test_a_letter_costs_the_same_in_a_long_plan(relay_cell):
    """Rows that its statements read by an index, where nobody has analysed the
    tables yet: as many for each letter, not as many as the plan has."""
    cell, count = relay_cell, 300
    many(cell, count)
    number = approved(cell, "--topic", cell.commands)
    read = ("SELECT sum(idx_scan)::int, sum(idx_tup_read)::int "
            "FROM pg_stat_user_indexes WHERE relname IN "
            "('letter_replays', 'replay_plan_letters', 'replay_plans')")
    [(_, before)] = cell.sql(read)
    cell.dlq("run", number)
    # they are told when the run's session ends
    until(lambda: cell.sql(read)[0][0] > 4 * count, 30, "statistics")
    [(_, after)] = cell.sql(read)
    assert after - before < 60 * count
