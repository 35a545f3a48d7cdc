"""The judge of the chaos test finds what it is there to find."""

import json

import chaos_judge as judge
import pytest
from chaos_load import large
from chaos_world import TOPIC_MAX

KEYS = ("plain-0", "plain-1", "skip-poison", "block-poison")


def payload(version, key):
    """The second event of a poisoned aggregate is refused."""
    size = TOPIC_MAX if version == 2 and "poison" in key else 1
    return json.dumps({"v": version, "pad": "x" * size})


def healthy():
    """Four events of each aggregate, written in turn, repeated once."""
    rows = [(f"{key}/{version}", key.partition("-")[0], key, version,
             payload(version, key)) for version in (1, 2, 3, 4)
            for key in KEYS]
    letters = ["skip-poison/2", "block-poison/2"]
    waiting = ["block-poison/3", "block-poison/4"]
    topics = {kind: [(id_, key.encode(), text.encode())
                     for id_, of, key, _, text in rows
                     if of == kind and id_ not in letters + waiting]
              for kind in ("plain", "skip", "block")}
    topics["plain"] += topics["plain"][2:6]
    ids = [row[0] for row in rows]
    # the endpoint wants no plain ones; it refused two, and got one again that
    # it had taken
    taken = [(row[0], row[4].encode()) for row in rows if row[1] != "plain"]
    arrived = taken[:2] + taken
    return judge.Evidence(rows, letters, waiting, topics, ids, ["undone"],
                          dict.fromkeys(KEYS, 4), arrived, taken + taken[-1:],
                          0)


def test_a_log_with_repetitions_is_well():
    seen = healthy()
    assert large(len(payload(2, "skip-poison")))
    seen.waiting.insert(0, "block-poison/1")  # delivered, and read again
    assert judge.verdict(seen) == (
        [], {"plain": 4, "skip": 0, "block": 0, "waiting": 1, "hook": 2})
    assert judge.missing(seen) == set()


def test_what_is_not_there_is_missing():
    seen = healthy()
    seen.letters.pop()
    seen.topics["skip"].pop()
    assert judge.missing(seen) == {"block-poison/2", "skip-poison/4"}
    seen = healthy()
    seen.taken.remove(seen.taken[0])
    assert judge.missing(seen) == {"skip-poison/1"}


DAMAGES = [name for name, _ in judge.damages(healthy())]


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_log_is_refused(name):
    wrong, _ = judge.verdict(dict(judge.damages(healthy()))[name])
    assert wrong, name
    says = {"dropped": "never came", "two swapped": "came after",
            "another id": "stands for no row", "made up": "stands for no row",
            "parked without need": "dead letter stored",
            "taken back": "taken back and in the table",
            "discarded": "was discarded and came out",
            "lost by the table": "committed and not in the table",
            "arrived: never": "endpoint: 1 rows never came",
            "taken: never": "taken by the endpoint: 1 rows never came",
            "arrived: out of order": "endpoint: skip-poison/",
            "taken: out of order": "taken by the endpoint: skip-poison/",
            "arrived: made up": "stands for no row",
            "taken: made up": "stands for no row",
            "arrived: not wanted": "stands for no row",
            "taken: not wanted": "stands for no row",
            "not signed": "1 requests are not signed"}
    assert any(says.get(name, "the row has") in line for line in wrong), wrong


def test_what_should_be_put_aside_and_is_not_is_refused():
    for change in (lambda seen: seen.letters.remove("skip-poison/2"),
                   lambda seen: seen.letters.append("skip-poison/2"),
                   lambda seen: seen.waiting.remove("block-poison/4"),
                   lambda seen: seen.waiting.reverse(),
                   lambda seen: seen.waiting.insert(
                       0, seen.topics["block"].pop(0)[0]),
                   lambda seen: seen.topics["block"].append(
                       ("block-poison/3", b"block-poison",
                        payload(3, "").encode())),
                   lambda seen: seen.topics["plain"].append(
                       ("undone", b"plain-0", b"{}"))):
        seen = healthy()
        change(seen)
        assert judge.verdict(seen)[0] != []


def test_what_a_writer_took_back_and_sql_has_is_refused():
    seen = healthy()
    seen.committed.append("never written")
    assert "not in the table" in judge.verdict(seen)[0][0]
    seen = healthy()
    seen.versions["plain-0"] = 5
    assert "versions" in judge.verdict(seen)[0][0]


def test_the_judge_says_when_it_is_blind():
    assert judge.blind(healthy()) == []
