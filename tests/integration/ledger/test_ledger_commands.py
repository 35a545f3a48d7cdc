"""The basic path: each command's answer, as stored for the relay."""

import json

from harness.wait import until
from ledger_kit import command, rfc3339, transfer, v7


def test_each_command_has_the_answer_that_the_contract_says(ledger):
    ledger.writer()
    assert ledger.do(command("asset.define", asset="USD", scale=2)
                     )["status"] == "applied"
    opened = ledger.do(command("account.open", account="house", asset="USD",
                               floor=None))
    assert opened["balances"] == [{"account": "house", "asset": "USD",
                                   "balance": "0.00", "held": "0.00",
                                   "version": 1}]
    ledger.do(command("account.open", account="a", asset="USD"))
    moved = ledger.do(transfer("house", "a", "12.50", actor="t", ref="r1"))
    assert moved["status"] == "applied"
    assert [(b["account"], b["balance"], b["version"])
            for b in moved["balances"]] == [("house", "-12.50", 2),
                                            ("a", "12.50", 2)]
    short = ledger.do(transfer("a", "house", "12.51"))
    assert short["status"] == "insufficient_funds"
    assert short["balances"] == [] and short["reason"]

    received = ledger.do(command("stock.receive", sku="s", qty="10"))
    assert received["stock"] == [{"sku": "s", "on_hand": "10",
                                  "reserved": "0", "version": 1}]
    for qty, status in (("8", "applied"), ("5", "out_of_stock"),
                        ("2", "applied")):
        answer = ledger.do(command("stock.reserve", sku="s", qty=qty,
                                   reservation=f"r{qty}"))
        assert answer["status"] == status, answer
    part = ledger.do(command("reservation.commit", reservation="r8", qty="3"))
    assert part["status"] == "applied"
    assert part["stock"][0]["on_hand"] == "7"
    assert part["stock"][0]["reserved"] == "2"
    over = ledger.do(command("reservation.commit", reservation="r2", qty="3"))
    assert over["status"] == "amount_exceeds_hold"
    freed = ledger.do(command("reservation.release", reservation="r2"))
    assert freed["stock"][0]["reserved"] == "0"
    again = ledger.do(command("reservation.release", reservation="r2"))
    assert again["status"] == "reservation_released"
    assert ledger.rows("SELECT ref, actor FROM command_log "
                       "WHERE ref IS NOT NULL") == [("r1", "t")]
    ledger.check_books()


def test_events_of_stock_are_in_the_outbox_in_order(ledger):
    ledger.writer()
    ledger.do(command("stock.receive", sku="s", qty="10"))
    ledger.do(command("stock.reserve", sku="s", qty="4", reservation="x"))
    ledger.do(command("reservation.commit", reservation="x"))
    rows = ledger.rows("SELECT aggregatetype, aggregateid, type, payload "
                       "FROM outbox ORDER BY seq")
    assert [r[:3] for r in rows] == [
        ("stock", "acme/s", "stock.received"),
        ("stock", "acme/s", "stock.reserved"),
        ("stock", "acme/s", "reservation.committed")]
    last = json.loads(rows[2][3])
    assert (last["on_hand"], last["reserved"]) == ("6", "0")


def test_a_repeated_id_gets_the_stored_answer_and_another_payload_is_refused(
        ledger):
    ledger.writer()
    ledger.open_books()
    first = transfer("house", "a", "1.00")
    ledger.do(first)
    ledger.send(first)
    until(lambda: len(ledger.answers_of(first["id"])) == 2)
    stored, repeated = ledger.answers_of(first["id"])
    assert repeated == {**stored, "duplicate": True}
    ledger.send(transfer("house", "a", "2.00", id_=first["id"]))
    until(lambda: len(ledger.answers_of(first["id"])) == 3)
    assert ledger.answers_of(first["id"])[2]["status"] == "key_reused"
    assert ledger.value("SELECT count(*) FROM postings") == 2
    ledger.check_books()


def test_a_dry_run_makes_no_organisation(ledger):
    ledger.writer()
    ledger.rows("SELECT set_rate_rule('few', NULL, 'actor', '{order.place}', "
                "5, '1 minute', 1, 'me', 'a test')")
    dry = {"org": "newcomer", "dry_run": True}
    asked = {
        "applied": [
            command("asset.define", asset="USD", scale=2, **dry),
            command("stock.receive", sku="s", qty="1", **dry),
            command("order.place", order="o", market="m", side="BUY", qty="1",
                    **dry),
            command("pool.deploy", market="m", address="x", **dry)],
        "asset_not_found": [
            command("account.open", account="a", asset="USD", **dry)],
        "account_not_found": [
            transfer("a", "b", "1", **dry),
            command("hold.place", **{"from": "a"}, amount="1", **dry)],
        "transfer_not_found": [
            command("transfer.reverse", transfer=v7(), **dry)]}
    for status, cmds in asked.items():
        for cmd in cmds:
            assert ledger.do(cmd)["status"] == status, cmd
    assert ledger.rows("SELECT name FROM orgs WHERE name = 'newcomer'") == []
    # nor a window of the rule: two newcomers' would have one key
    assert ledger.rows("SELECT * FROM rate_windows") == []
    # whoever is no dry run makes it, refused or not
    assert ledger.do(transfer("a", "b", "1", org="newcomer")
                     )["status"] == "account_not_found"
    assert ledger.rows("SELECT name FROM orgs WHERE name = 'newcomer'") == [
        ("newcomer",)]


def test_a_pause_refuses_requests_and_the_same_id_is_applied_after_it(
        ledger, cell, database):
    ledger.writer()
    ledger.open_books()
    op = cell.connect("operator", database)
    op.cursor().execute("SELECT pause('trading', NULL, 'test', 'tester', "
                        "interval '0')")
    refused = transfer("house", "a", "5.00")
    assert ledger.do(refused)["status"] == "trading_paused"
    receipt = command("stock.receive", sku="s", qty="1")
    assert ledger.do(receipt)["status"] == "applied"
    op.cursor().execute("SELECT resume('trading', 'over', 'tester')")
    op.close()
    ledger.send(refused)
    until(lambda: len(ledger.answers_of(refused["id"])) == 2)
    assert ledger.rows("SELECT status FROM command_log WHERE id::text = %s",
                       refused["id"]) == [("applied",)]
    ledger.check_books()


def test_keys_that_are_too_old_or_of_the_future_do_not_take_the_id(ledger):
    import time
    ledger.writer()
    ledger.open_books()
    now = int(time.time() * 1000)
    old = transfer("house", "a", "1.00", id_=v7(now - 40 * 86400 * 1000))
    ahead = transfer("house", "a", "1.00", id_=v7(now + 400 * 1000))
    assert ledger.do(old)["status"] == "key_expired"
    assert ledger.do(ahead)["status"] == "key_in_future"
    assert ledger.value("SELECT count(*) FROM postings") == 0
    ledger.check_numbers()


def test_a_reservation_expires_on_an_idle_partition(ledger):
    ledger.writer()
    ledger.open_books()
    placed = ledger.do(command("stock.reserve", sku="s", qty="40",
                               reservation="soon", expires_at=rfc3339(8)))
    assert placed["stock"][0]["reserved"] == "40"
    until(lambda: ledger.value("SELECT reserved FROM stock") == 0, 60,
          "the sweep")
    rows = ledger.rows("SELECT type, status, src_offset FROM command_log "
                       "WHERE source = 'timer'")
    assert rows == [("reservation.expire", "applied", None)]
    late = ledger.do(command("reservation.commit", reservation="soon"))
    assert late["status"] == "reservation_expired"
    assert ledger.value("SELECT count(*) FROM outbox WHERE "
                        "type = 'reservation.expired'") == 1
    ledger.check_books()


def test_two_account_opens_of_one_name_on_two_partitions_open_it_once(ledger):
    ledger.writer()
    ledger.writer()
    ledger.do(command("asset.define", asset="USD", scale=2))
    pairs = []
    for i in range(40):
        for part in (0, 1):
            cmd = command("account.open", account=f"n{i}", asset="USD")
            pairs.append(cmd)
            ledger.send(cmd, partition=part)
    statuses = [ledger.answer(c)["status"] for c in pairs]
    assert statuses.count("applied") == 40
    assert statuses.count("account_exists") == 40
    ledger.check_books()


def test_a_floor_and_a_balance_that_fit_only_together_are_written_together(
        ledger):
    """Each way, in a group and in a batch: the table's CHECK sees the row
    after both, never between them."""
    writer = ledger.writer()
    ledger.open_books()

    def limit(floor):
        return {"type": "account.limit", "account": "a", "floor": floor}

    def move(frm, to, amount):
        return {"type": "transfer.post",
                "moves": [{"from": frm, "to": to, "amount": amount}]}
    down = [limit("-5.00"), move("a", "house", "5.00")]
    up = [move("house", "a", "15.00"), limit("10.00")]
    close = [limit("-10.00"), move("a", "house", "10.00"),
             {"type": "account.close", "account": "a"}]
    for members in (down, up):
        answer = ledger.do(command("group", commands=members))
        assert answer["status"] == "applied", answer
    # in one batch: they come while the writer is stopped
    cmds = [command(**{"type_": m["type"], **{
        k: v for k, v in m.items() if k != "type"}})
        for m in [limit("-5.00"), move("a", "house", "15.00"),
                  move("house", "a", "25.00"), limit("20.00")] + close]
    cmds[-3]["floor"] = "0"
    cmds[-2]["moves"][0]["amount"] = "20.00"
    ledger.at_once([writer], (0, cmds))
    for cmd in cmds:
        assert ledger.answer(cmd)["status"] == "applied", ledger.answer(cmd)
    assert writer.metric("ledger_retries_total", reason="rows") == 0
    assert ledger.rows("SELECT balance, floor, closed FROM balances JOIN "
                       "accounts USING (org_id, account_id) "
                       "WHERE name = 'a'") == [(0, 0, True)]
    ledger.check_books()
