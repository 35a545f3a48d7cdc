"""What the relay itself refuses does not overtake what it has sent: else, when
that must be sent again, it finds its key blocked by its own successor."""

from harness.wait import until


def turned(daemon, times):
    """The loop has turned so often since."""
    at = daemon.metric("ch_loop_turns_total")
    until(lambda: daemon.metric("ch_loop_turns_total") >= at + times, 60,
          "turns of the loop")


def test_a_refusal_waits_for_what_its_key_has_in_flight(relay_cell, relay,
                                                        cell):
    daemon = relay()
    known = relay_cell.event("other")
    until(lambda: known in relay_cell.ids(relay_cell.stock), 60, "the topic")
    cell.script("kafka.sh", "stop")
    try:
        first = relay_cell.event("k")
        large = relay_cell.event("k", payload='"' + "x" * 1100000 + '"')
        after = relay_cell.event("k")
        until(lambda: daemon.metric("relay_rows_read_total") >= 4, 60,
              "all read")
        turned(daemon, 3)
        daemon.kill()  # the first is in no log; the next one has to send it
    finally:
        cell.script("kafka.sh", "start")
    relay()
    letters = "SELECT row_id FROM dead_letters"
    until(lambda: relay_cell.sql(letters) == [(large,)], 60,
          "the large one is a dead letter")
    waits = "SELECT row_id FROM outbox_retry ORDER BY retry_id"
    until(lambda: (after,) in relay_cell.sql(waits), 60, "the last one waits")
    assert relay_cell.sql(waits) == [(after,)]
    assert set(relay_cell.ids(relay_cell.stock)) == {known, first}
