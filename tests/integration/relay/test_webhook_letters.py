"""Webhooks' dead letters: what an answer that comes late must not touch."""

import threading

import pytest

from harness.hook_server import all_done
from harness.wait import until


def states(cell):
    return dict(cell.sql("SELECT letter_id::text, state FROM letters"))


@pytest.mark.parametrize("status,attempts", [(204, 2), (500, 2), (429, 2),
                                             (422, 1)],
                         ids=["done", "again", "later", "bury"])
def test_a_late_answer_is_not_written_to_what_was_put_back(
        relay_cell, relay, hooks, server, status, attempts):
    """A leader that was replaced may have the answer of before in hand: the
    new one has buried the delivery, and an operator has put it back."""
    cell, gate = relay_cell, threading.Event()

    def answer(request):
        if len(server.ids()) > 1:
            return 204
        gate.wait(60)
        return status
    server.answer = answer
    relay(webhooks=hooks(a={"attempts": attempts}))
    event = cell.event("k1")
    until(lambda: server.ids() == [event], 60, "it is in hand")
    letter = cell.sql(
        "INSERT INTO dead_letters (letter_id, source, row_id, topic, "
        "record_key, value, error_class, reason, attempts, blocks_key) "
        "SELECT gen_random_uuid(), 'webhook', event_id, 'webhook:a', "
        "record_key, body, 'http_422', 'r', 1, true FROM webhook_deliveries "
        "RETURNING letter_id::text")[0][0]
    cell.sql("UPDATE webhook_deliveries SET done_at = now(), body = NULL, "
             "letter_id = %s", (letter,))
    cell.dlq("replay", letter, "--reason", "mended")
    assert states(cell) == {letter: "replayed"}
    gate.set()
    until(lambda: server.ids() == [event] * 2, 60, "it is sent")
    all_done(cell, 1)
    assert states(cell) == {letter: "resolved"}
    assert cell.sql("SELECT attempts, last_status, letter_id, refused_at "
                    "FROM webhook_deliveries") == [(0, 204, None, None)]
