"""docs/producer.md against a real writer: each line is sent as the page sends
it, and answered as the page says. What leaves has its schema's form. And the
checker of `make run`, which shares nothing with the writer, finds these books
right, and each change by hand wrong."""

import json
import os
import subprocess

import pytest

from harness.message_schemas import SCHEMAS, check, event_schema
from harness.producer_page import sends, shell
from harness.wait import until
from ledger_checker import faults_of
from ledger_kit import command

HEAD = ("id", "org", "type")
TAIL = ("seq", "decided_at")
CHECKS = SCHEMAS["fleet.alerts.schema.json"]["properties"]["check"]["enum"]


def compare(answer, shown):
    """Members in the page's order; its "…" stands for any text, its `reset`
    for any time."""
    assert all(name in answer for name in HEAD + TAIL)
    rest = {k: v for k, v in answer.items() if k not in HEAD + TAIL}
    if shown.get("reason") == "…":
        shown = {**shown, "reason": rest.get("reason")}
    if "reset" in shown.get("rate", {}):  # a time of its own
        shown = {**shown, "rate": {**shown["rate"],
                                   "reset": rest["rate"]["reset"]}}
    assert json.dumps(rest) == json.dumps(shown)


def timer_row(ledger, type_):
    rows = ledger.rows("SELECT result FROM command_log WHERE type = %s "
                       "AND source = 'timer'", type_)
    return rows and json.loads(rows[0][0])


def send_page(ledger):
    """Each line of the page; yields the type, the answer and what is shown."""
    ids = {}
    for sent in sends():
        if sent.call:
            ledger.rows(sent.call)
        cmd = command(sent.type, **sent.fields(ids))
        ids[sent.keep] = cmd["id"]
        ledger.send((f"acme/{sent.owner}", json.dumps(cmd)))
        for type_, shown in sent.answers:
            yield (sent.answer(ledger, cmd) if type_ == sent.type else
                   until(lambda t=type_: timer_row(ledger, t), 60, type_),
                   shown)


def test_the_page_is_answered_as_it_says(ledger):
    ledger.writer()
    for answer, shown in send_page(ledger):
        check("result.schema.json", answer)
        compare(answer, shown)
    for view in CHECKS:
        assert ledger.rows(f"SELECT * FROM check_{view}") == []
    events = ledger.rows("SELECT aggregatetype, type, payload FROM outbox")
    for aggregate, _, payload in events:
        check(event_schema(aggregate), json.loads(payload))
    assert {t for _, t, _ in events} >= {
        "stock.received", "stock.adjusted", "stock.reserved",
        "reservation.committed", "hold.captured", "order.placed",
        "order.accepted", "order.partially_filled", "trade.recorded",
        "trade.confirmed", "pool.deployed", "market.settling",
        "market.settled"}


# ---- the checker over the books of the page

# What is done to them by hand, and the faults that it must give.
BY_HAND = {
    "a pair of postings with no command": (
        "INSERT INTO postings SELECT org_id, account_id, batch, pos, leg + 8, "
        "shard, amount, balance_after, gen_random_uuid(), decided_at FROM "
        "postings WHERE (batch, pos) = (SELECT batch, pos FROM postings "
        "ORDER BY 1, 2 LIMIT 1)",
        "postings are not those of what was applied"),
    "all postings of a capture are gone": (
        "DELETE FROM postings WHERE command_id = (SELECT id FROM command_log "
        "WHERE type = 'hold.capture' AND status = 'applied')",
        "postings are not those of what was applied"),
    "all postings of a settlement's page are gone": (
        "DELETE FROM postings WHERE command_id = (SELECT id FROM command_log "
        "WHERE type = 'market.pay')",
        "postings are not those of what was applied"),
    "all postings of a skim are gone": (
        "DELETE FROM postings WHERE command_id IN (SELECT id FROM command_log "
        "WHERE type = 'trade.record')",
        "postings are not those of what was applied"),
    "a group's postings are gone": (
        "DELETE FROM postings WHERE command_id IN (SELECT id FROM command_log "
        "WHERE type = 'group')",
        "postings are not those of what was applied"),
    "a reversal's postings are gone": (
        "DELETE FROM postings WHERE command_id IN (SELECT id FROM command_log "
        "WHERE type = 'transfer.reverse')",
        "postings are not those of what was applied"),
    "a reversal is gone": (
        "DELETE FROM reversals", "reversals are not those that were applied"),
    "stock changed": (
        "UPDATE stock SET on_hand = on_hand + 1",
        "stock differs from the log"),
    "the row of an adjustment is gone": (
        "DELETE FROM command_log WHERE type = 'stock.adjust'",
        "stock differs from the log"),
    "a stock event is gone": (
        "DELETE FROM outbox WHERE type = 'reservation.committed'",
        "applied changes of stock"),
}


@pytest.fixture
def shop(cell, database):
    """A connection that may change everything, and takes it all back."""
    db = cell.connect("superuser", database)
    db.autocommit = False
    yield db
    db.close()


def test_the_checker_knows_every_command_of_the_page(ledger, shop):
    ledger.writer()
    for answer, shown in send_page(ledger):
        assert answer["status"] == shown["status"]
    assert faults_of(shop) == []
    for what, (sql, told) in BY_HAND.items():
        with shop.cursor() as cur:
            cur.execute(sql)
            assert cur.rowcount > 0, what
        assert any(told in text for text in faults_of(shop)), what
        shop.rollback()


class Relay:
    """Answers to a topic, as outbox-relay would publish them."""

    def __init__(self, ledger, kafka):
        self.ledger, self.kafka, self.seen = ledger, kafka, 0
        self.topic = kafka.unique("ledger.results")
        kafka.create(self.topic)

    def publish(self):
        rows = self.ledger.rows(
            "SELECT convert_from(record_key, 'UTF8'), result, batch, pos "
            "FROM command_log UNION ALL SELECT convert_from(record_key, "
            "'UTF8'), result, batch, pos FROM answers "
            "ORDER BY batch, pos OFFSET %s", self.seen)
        if rows:
            self.kafka.produce(self.topic, [row[:2] for row in rows])
        self.seen += len(rows)


def test_the_pages_shell_functions_send_and_read(ledger, kafka, tmp_path):
    """`new_id`, `send`, its kcat lines and its ways of quoting, by bash: up to
    the page's first line that names an earlier id."""
    ledger.writer()
    relay = Relay(ledger, kafka)
    functions, lines = shell()
    last = next(i for i, line in enumerate(lines) if "$paid" in line)
    for name, topic in (("ledger.commands", ledger.topic),
                        ("ledger.results", relay.topic)):
        assert f" -t {name} " in functions
        functions = functions.replace(f" -t {name} ", f" -t {topic} ")
    script = tmp_path / "page.sh"
    script.write_text("\n".join(["set -u", functions, *lines[:last + 1]]))
    with (tmp_path / "answers").open("w") as out:
        ran = subprocess.Popen(["bash", str(script)], stdout=out, env={
            **os.environ, "BOOTSTRAP": kafka.bootstrap})

        def ended():
            relay.publish()
            return ran.poll() is not None
        until(ended, 120, "the page's lines")
    assert ran.returncode == 0
    answers = [json.loads(line) for line in
               (tmp_path / "answers").read_text().splitlines()]
    told = [sent.answers[0][1] for sent in sends()[:last + 1]]
    assert len(answers) == len(told)
    for answer, shown in zip(answers, told):
        compare(answer, shown)
