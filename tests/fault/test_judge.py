"""The judge of the kill test finds what it is there to find."""

import fault_judge as judge
import ledger_oracle as oracle
from fault_plan import too_few


def test_outcomes_missing_doubled_or_of_no_record_are_found():
    records = [(0, 0), (0, 1), (0, 2)]
    rows = [("log", 0, 0, "applied"), ("answer", 0, 1, "duplicate"),
            ("rejected", 0, 2, "invalid"), ("answer", 0, 2, "invalid")]
    assert judge.outcomes(records, rows) == []
    assert "(0, 0)" in judge.outcomes(records, rows[1:])[0]
    twice = rows + [("answer", 0, 0, "duplicate")]
    assert "one was due" in judge.outcomes(records, twice)[0]
    assert "no record" in judge.outcomes(records[1:], rows)[0]
    assert judge.ids([(1, "a"), (2, "a")]) == []
    assert judge.ids([(1, "a"), (1, "a")]) != []


def test_what_was_acknowledged_and_is_not_there_is_found():
    line = {"id": "x1", "kind": "fresh", "partition": 0, "offset": 5}
    there = {(0, 5): b'{"id":"x1"}'}
    done = {(0, 5): [("log", "applied")]}
    assert judge.acknowledged([line], there, done) == []
    # the client wrote it twice: one of the two is the command
    twice = there | {(0, 3): b'{"id":"x1"}'}
    again = {(0, 3): [("log", "applied")], (0, 5): [("answer", "duplicate")]}
    assert judge.acknowledged([line], twice, again) == []
    again[0, 5] = [("log", "applied")]
    assert judge.acknowledged([line], twice, again) != []
    # refused for now it took no id: another payload had taken it before the copy
    again = {(0, 3): [("answer", "rate_limited")],
             (0, 5): [("answer", "key_reused")]}
    assert judge.acknowledged([line], twice, again) == []
    again[0, 3] = [("answer", "key_reused")]
    assert judge.acknowledged([line], twice, again) != []
    assert judge.acknowledged([line], {}, done) != []
    assert judge.acknowledged([line], {(0, 5): b"x2"}, done) != []
    assert judge.acknowledged([line], there, {}) != []
    assert judge.acknowledged(
        [line], there, {(0, 5): [("answer", "duplicate")]}) != []


def test_records_lost_changed_or_out_of_order_are_found():
    rows = {"a": (b"k", (1, 1), b"1"), "b": (b"k", (1, 2), b"2")}
    first, second = ("a", b"k", b"1"), ("b", b"k", b"2")
    assert judge.delivered("t", rows, [first, second]) == ([], 0)
    # a repetition, even of old rows, is not a fault
    assert judge.delivered("t", rows, [first, second, first, second]) == (
        [], 2)
    assert "never came" in judge.delivered("t", rows, [second])[0][0]
    assert "came after" in judge.delivered("t", rows, [second, first])[0][0]
    assert judge.delivered("t", rows, [first, ("b", b"k", b"3")])[0] != []
    assert judge.delivered("t", rows, [first, second, ("c", b"k", b"3")]
                           )[0] != []


def test_books_postings_and_events_that_differ_are_found():
    mine = {"a/o/x": {"balance": 5, "held": 0}}
    assert oracle.tables(mine, {"a/o/x": {"balance": 5, "held": 0}}) == []
    assert oracle.tables(mine, {"a/o/x": {"balance": 5, "held": 1}}) != []
    assert oracle.tables(mine, {"a/o/x": {"balance": 5}}) != []
    assert oracle.tables(mine, {}) != []
    assert oracle.lists("posting", ["p", "q"], ["p", "q"]) == []
    assert oracle.lists("posting", ["p", "q"], ["q", "p"]) != []
    assert "first more is q" in oracle.lists("posting", ["p"], ["p", "q"])[0]
    assert judge.multiset("letter", ["p", "p"], ["p", "p"]) == []
    assert judge.multiset("letter", ["p", "p"], ["p"]) != []
    assert oracle.canonical_event("t", '{"seq":"1-2","a":1}') == (
        oracle.canonical_event("t", '{"a":1,"seq":"9-9"}'))


def test_pauses_and_rates_stand_before_the_batches_that_they_refuse():
    marks = oracle.pause_marks([(4, "resume", "s", None),
                                (2, "pause", "s", ["t"])])
    assert [m["at"] for m in marks] == [(2, -1), (4, -1)]
    assert marks[0]["pauses"] == [{"scope": "s", "types": ["t"]}]
    assert marks[1]["pauses"] == []
    rule = {"name": "n", "org_id": None, "scope": "org", "types": ["t"],
            "most": 5, "window_us": 9, "shares": 2}
    marks = oracle.rate_marks([
        (3, "set_rate_rule", "n", None, rule),
        (5, "set_rate_rule", "n", rule, {**rule, "most": 6}),
        (7, "set_rate_rule", "n", rule, {**rule, "org_id": 1}),
        (9, "drop_rate_rule", "n", rule, {"number": 9})], {1: "acme"})
    assert [(m["at"][0], m["forget"], len(m["rates"])) for m in marks] == [
        (3, [], 1), (5, [], 1), (7, ["n"], 1), (9, ["n"], 0)]
    assert marks[1]["rates"][0]["most"] == 6
    assert marks[2]["rates"][0]["org"] == "acme"


def test_a_kind_of_fault_that_never_happened_is_a_failure():
    assert too_few({"kills_with_a_batch_open": 10, "other": 1}) == []
    assert too_few({"kills_with_a_batch_open": 9}) != []
    assert too_few({"other": 0}) != []
