"""What PostgreSQL refuses is found and parked alone; and nothing is parked that
it would not refuse."""

from ledger_kit import command, transfer


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
