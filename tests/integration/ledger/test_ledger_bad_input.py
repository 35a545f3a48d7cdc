"""What cannot be read ends in rejected, untouched, and the offset moves on."""

import json
import subprocess

from harness.wait import until
from ledger_kit import command, transfer, v7

BAD = [
    b"null", b"[]", b"{", b"{}", b"\x00\x01\xff", b'{"id":"x"}',
    b'{"id":"\xff"}', b'"text"', b"\xef\xbb\xbf{}", b"nul", b"1e999",
    b'{"a":1,"a":2}', b"{" + b'"a":{' * 40 + b"}" * 41,
]


def bad_commands():
    good = transfer("house", "a", "1.00")
    yield {**good, "id": "not-an-id"}
    yield {**good, "id": v7(), "surprise": 1}
    yield {**good, "id": v7(), "type": "no.such"}
    yield {**good, "id": v7(), "type": "hold.place"}
    yield {**good, "id": v7(), "moves": []}
    yield {**good, "id": v7(), "moves": [{"from": "house", "to": "a",
                                          "amount": 1.5}]}
    yield {**good, "id": v7(), "moves": [{"from": "house", "to": "a",
                                          "amount": "-1"}]}
    yield {**good, "id": v7(), "moves": good["moves"] * 33}
    yield {**good, "id": v7(), "org": "a/b"}
    yield {**good, "id": v7(), "org": ""}
    yield {**good, "id": v7(), "ref": "x" * 129}
    yield {**good, "id": v7(), "meta": {"x": "y" * 2000}}
    yield {**good, "id": v7(), "actor": "nul\u0000"}
    yield {**good, "id": v7(), "dry_run": "yes"}
    yield {**good, "id": v7(), "expected_version": {"account": {"z": 1}}}


def test_bad_input_of_every_kind_is_parked_and_the_good_goes_on(ledger):
    writer = ledger.writer()
    ledger.open_books()
    before = ledger.consumed()
    for value in BAD:
        ledger.kafka.produce_raw(ledger.topic, value, key="acme/house")
    ledger.kafka.produce_raw(
        ledger.topic, b"x" * 70000, key="k",
        headers=[("traceparent", "00-x"), ("h", "v")])
    subprocess.run(["kcat", "-P", "-b", ledger.kafka.bootstrap, "-t",
                    ledger.topic, "-p", "0", "-K", ":", "-Z"],
                   input=b"acme/tombstone:\n", check=True)
    commands = list(bad_commands())
    ledger.send(*[("acme/house", json.dumps(c)) for c in commands])
    good = transfer("house", "a", "1.00")
    assert ledger.do(good)["status"] == "applied"
    ledger.wait_consumed(before + len(BAD) + 2 + len(commands) + 1)
    stored = {bytes(r[0]) for r in ledger.rows(
        "SELECT value FROM rejected WHERE value IS NOT NULL")}
    for value in BAD:
        assert value in stored, value
    for cmd in commands:
        assert json.dumps(cmd).encode() in stored, cmd
    assert ledger.rows("SELECT record_key::text FROM rejected WHERE value "
                       "IS NULL") == [("\\x" + b"acme/tombstone".hex(),)]
    big = ledger.rows("SELECT error_class, header_names, header_values "
                      "FROM rejected WHERE octet_length(value) = 70000")
    assert big[0][0] == "oversize"
    assert [bytes(n) for n in big[0][1]] == [b"traceparent", b"h"]
    assert [bytes(v) for v in big[0][2]] == [b"00-x", b"v"]
    # an answer where somebody can be named
    named = next(c for c in commands if "surprise" in c)
    assert ledger.answer(named)["status"] == "invalid"
    until(lambda: writer.metric("ledger_results_total", status="invalid"), 60,
          "it is counted")
    # also of what is no JSON, as long as it says whose it is
    cut = transfer("house", "a", "1.00")
    ledger.kafka.produce_raw(ledger.topic, json.dumps(cut).encode()[:-9],
                             key="acme/house")
    answer = ledger.answer(cut)
    assert answer["status"] == "invalid"
    assert answer["reason"].startswith("not valid JSON at byte ")
    assert writer.running()
    ledger.check_books()


def test_unicode_names_and_bytes_survive(ledger):
    ledger.writer()
    ledger.do(command("asset.define", asset="€uro \"q\" \\", scale=2))
    name = "кошелёк 🏦 'x' \\ \""
    answer = ledger.do(command("account.open", account=name,
                               asset="€uro \"q\" \\"))
    assert answer["balances"][0]["account"] == name
    assert ledger.value("SELECT name FROM accounts") == name


def test_a_command_that_only_postgresql_refuses_is_found_and_parked(ledger):
    """A constraint that no rule of ours knows stands for any surprise."""
    ledger.writer()
    ledger.open_books()
    with ledger.db.cursor() as cur:
        cur.execute("ALTER TABLE postings ADD CONSTRAINT surprise "
                    "CHECK (amount NOT IN (1313, -1313))")
    cmds = [transfer("house", "a", "1.00") for _ in range(200)]
    poison = [transfer("house", "a", "13.13") for _ in range(2)]
    cmds[77:77] = poison[:1]
    cmds[150:150] = poison[1:]
    ledger.send(*cmds)
    for cmd in cmds:
        want = "invalid" if cmd in poison else "applied"
        assert ledger.answer(cmd, 60)["status"] == want
    rows = ledger.rows("SELECT error_class, sqlstate, reason FROM rejected")
    assert [(r[0], r[1]) for r in rows] == [("poison", "23514")] * 2
    assert "surprise" in rows[0][2]
    assert ledger.value("SELECT balance FROM balances b JOIN accounts a "
                        "USING (org_id, account_id) WHERE name = 'a'"
                        ) == 20000
    # its id is free: an operator mends the cause and replays
    with ledger.db.cursor() as cur:
        cur.execute("ALTER TABLE postings DROP CONSTRAINT surprise")
    ledger.send(poison[0])
    until(lambda: len(ledger.answers_of(poison[0]["id"])) == 2)
    assert ledger.answers_of(poison[0]["id"])[-1]["status"] == "applied"
    ledger.check_books()


def test_an_expiry_that_postgresql_refuses_is_set_aside_not_the_command(
        ledger):
    from ledger_kit import rfc3339
    ledger.writer(sweep_every="60s")
    ledger.open_books()
    placed = ledger.do(command("stock.reserve", sku="s", qty="13",
                               reservation="bad", expires_at=rfc3339(10)))
    assert placed["status"] == "applied"
    with ledger.db.cursor() as cur:
        cur.execute("ALTER TABLE reservations ADD CONSTRAINT surprise CHECK "
                    "(NOT (name = 'bad' AND state = 'expired'))")
    until(lambda: ledger.value("SELECT now() > max(expires_at) "
                               "FROM reservations"), 60, "it is due")
    innocent = command("stock.reserve", sku="s", qty="1")
    assert ledger.do(innocent)["status"] == "applied"
    assert ledger.value("SELECT state FROM reservations WHERE name = 'bad'"
                        ) == "reserved"
    assert ledger.value("SELECT count(*) FROM outbox WHERE "
                        "type = 'reservation.set_aside'") == 1
    assert ledger.value("SELECT count(*) FROM rejected") == 0
    ledger.check_books()


def test_stock_that_was_edited_by_hand_stops_no_writer(ledger):
    """A release of more than the row says is reserved: PostgreSQL's CHECK
    refuses it, the command is parked, and the writer goes on."""
    writer = ledger.writer()
    ledger.open_books()
    ledger.do(command("stock.reserve", sku="s", qty="5", reservation="r"))
    with ledger.db.cursor() as cur:
        cur.execute("UPDATE stock SET reserved = 3")
    release = command("reservation.release", reservation="r")
    assert ledger.do(release)["status"] == "invalid"
    assert ledger.rows("SELECT error_class, sqlstate FROM rejected") == [
        ("poison", "23514")]
    assert ledger.do(transfer("house", "a", "1.00"))["status"] == "applied"
    assert writer.running()
    # repaired, the same id is decided anew
    with ledger.db.cursor() as cur:
        cur.execute("UPDATE stock SET reserved = 5")
    ledger.send(release)
    until(lambda: len(ledger.answers_of(release["id"])) == 2)
    assert ledger.answers_of(release["id"])[-1]["status"] == "applied"
    ledger.check_books()


def test_a_hold_that_was_edited_by_hand_stops_no_writer(ledger):
    writer = ledger.writer()
    ledger.open_books()
    ledger.do(command("hold.place", **{"from": "house"}, amount="5.00",
                      hold="h"))
    with ledger.db.cursor() as cur:
        cur.execute("UPDATE balances SET held = 300 WHERE held = 500")
        assert cur.rowcount == 1
    void = command("hold.void", hold="h")
    assert ledger.do(void)["status"] == "invalid"
    assert ledger.rows("SELECT error_class, sqlstate FROM rejected") == [
        ("poison", "23514")]
    assert ledger.do(transfer("house", "a", "1.00"))["status"] == "applied"
    assert writer.running()
    with ledger.db.cursor() as cur:
        cur.execute("UPDATE balances SET held = 500 WHERE held = 300")
    ledger.send(void)
    until(lambda: len(ledger.answers_of(void["id"])) == 2)
    assert ledger.answers_of(void["id"])[-1]["status"] == "applied"
    ledger.check_books()
