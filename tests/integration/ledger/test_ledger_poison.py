"""What PostgreSQL refuses is found and parked alone; and nothing is parked that
it would not refuse."""

from harness.wait import until
from ledger_kit import command, refuse, rfc3339, transfer


def test_a_credit_line_and_its_use_meet_in_one_batch(ledger):
    """The row's CHECK must never see the balance without its floor."""
    ledger.writer()
    ledger.open_books()
    down = command("group", commands=[
        {"type": "account.limit", "account": "a", "floor": "-50"},
        {"type": "transfer.post", "moves": [
            {"from": "a", "to": "b", "amount": "20.00"}]}])
    up = command("group", commands=[
        {"type": "transfer.post", "moves": [
            {"from": "house", "to": "b", "amount": "60.00"}]},
        {"type": "account.limit", "account": "b", "floor": "70"}])
    for cmd in (down, up):
        assert ledger.do(cmd)["status"] == "applied"
    assert ledger.do(transfer("b", "a", "10.01")
                     )["status"] == "insufficient_funds"
    assert ledger.rows(
        "SELECT name, balance, held, floor, version FROM balances JOIN "
        "accounts USING (org_id, account_id) WHERE name IN ('a', 'b') "
        "ORDER BY 1") == [("a", -2000, 0, -5000, 2), ("b", 8000, 0, 7000, 3)]
    assert ledger.rows("SELECT * FROM rejected") == []
    ledger.check_books()


def test_a_poison_is_parked_though_something_always_runs_out_on_its_owner(
        ledger):
    writer = ledger.writer(sweep_every="60s")
    ledger.open_books()
    refuse(ledger, "INSERT ON command_log", "NEW.ref = 'poison'")
    # from 20 s on some run out at any moment, for 40 s
    ledger.send(*[command("group", commands=[
        {"type": "hold.place", "from": "house", "amount": "0.01",
         "expires_at": rfc3339(20 + (i * 20 + k) / 100)} for k in range(20)])
        for i in range(200)])
    until(lambda: ledger.value("SELECT count(*) FROM holds WHERE state = "
                               "'expired'") > 0 or
          ledger.value("SELECT count(*) FROM holds WHERE expires_at < now()")
          > 0, 60, "they run out")
    bad = transfer("house", "a", "1.00", ref="poison")
    behind = transfer("house", "a", "1.00")
    ledger.send(bad, behind)
    assert ledger.answer(behind)["status"] == "applied"
    assert ledger.answer(bad)["status"] == "invalid"
    assert ledger.rows("SELECT error_class, sqlstate FROM rejected") == [
        ("poison", "P0001")]
    assert writer.metric("ledger_retries_total", reason="rows") < 12
    assert writer.metric("ledger_set_aside") == 0
