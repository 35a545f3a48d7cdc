"""A balance at a time, a statement, the check of one account, and what became
of a command, against what a random history says."""

import datetime
import decimal
import json
import pathlib
import random
import re
import uuid

import psycopg2
import pytest

from schema_rows import Rows, past_is_over

D = decimal.Decimal
EXPLAIN = (pathlib.Path(__file__).resolve().parents[3] /
           "services/ledger-writer/sql/explain.sql")
MICRO = datetime.timedelta(microseconds=1)


def run(db, text, *args):
    with db.cursor() as cur:
        cur.execute(text, args or None)
        return cur.fetchall() if cur.description else None


def test_commands_are_found_by_reference(connect):
    """By an index, newest first, and nobody else's."""
    db = connect("owner")
    acme, other = Rows(db, "acme"), Rows(db, "other")
    for rows in (acme, other):
        rows.account("bank", scale=2)
        rows.account("user", scale=2)
    at = run(db, "SELECT now()")[0][0]
    ids = [str(acme.post([("bank", "user", 5)], ref=ref,
                         at=at + datetime.timedelta(seconds=n)))
           for n, ref in enumerate(("a", "b", None, "a"))]
    other.post([("bank", "user", 5)], ref="a")
    ask = "SELECT command_id, type, status FROM ch.by_ref(%s, %s)"
    told = run(connect(), ask, "acme", "a")
    assert [row[0] for row in told] == [ids[3], ids[0]]
    assert {row[2] for row in told} == {"applied"}
    assert run(connect(), "SELECT command_id FROM ch.by_ref('acme', 'a', 1)"
               ) == [(ids[3],)]
    assert run(connect(), ask, "acme", "c") == []
    run(db, "SET enable_seqscan = off")
    plan = run(db, "EXPLAIN SELECT 1 FROM command_log WHERE org_id = 1 AND "
               "ref = 'a'")
    assert any("Index Cond: ((org_id = 1) AND (ref = 'a'::text))" in line
               for line, in plan), plan


NAMES = ("bank", "user", ("fees", 0), ("fees", 1), ("fees", 2))


class History:
    """Random transfers over three days, some at one instant, and the legs of
    each account in order."""

    def __init__(self, db, seed=7, n=120):
        run(db, "UPDATE retention SET lowest_day = lowest_day - 5, first_day ="
            " first_day - 5 WHERE table_name IN ('postings', 'command_log')")
        run(db, "SELECT ensure_partition(t, current_date - d) FROM unnest("
            "ARRAY['postings', 'command_log']) t, generate_series(1, 4) d")
        self.rows = Rows(db, "acme")
        self.rows.account("bank", scale=3)
        self.rows.account("user", scale=3)
        self.rows.account("fees", scale=3, shards=4)  # shard 3 stays idle
        self.legs = []    # (at, name, amount, id, ref, other)
        rng = random.Random(seed)
        # not by the hour: each of the days has its rows whenever it is
        at = run(db, "SELECT ((now() AT TIME ZONE 'UTC')::date - 3 + time "
                 "'12:00') AT TIME ZONE 'UTC'")[0][0]
        self.start = at
        for i in range(n):
            if rng.random() < 0.7:
                at += datetime.timedelta(seconds=rng.randint(1, 4000))
            payer, payee = rng.sample(NAMES, 2)
            if payer[0] == payee[0]:
                continue
            amount, ref = rng.randint(1, 9999), rng.choice((None, f"r{i}"))
            ident = self.rows.post([(payer, payee, amount)], at=at, ref=ref)
            for name, change, other in ((payer, -amount, payee),
                                        (payee, amount, payer)):
                flat = [x[0] if isinstance(x, tuple) else x
                        for x in (name, other)]
                self.legs.append((at, flat[0], change, str(ident), ref,
                                  flat[1]))

    def balance(self, name, at):
        return D(sum(leg[2] for leg in self.legs
                     if leg[1] == name and leg[0] <= at)) / 1000


@pytest.fixture
def history(db):
    return History(db)


ACCOUNTS = ("bank", "user", "fees")


def test_the_balance_at_any_time(history, connect):
    operator = connect()
    times = sorted({leg[0] for leg in history.legs})
    asked = [history.start - MICRO, times[-1] + datetime.timedelta(days=99)]
    for at in times[::5]:
        asked += [at - MICRO, at, at + MICRO]
    for name in ACCOUNTS:
        got = run(operator, "SELECT ch.balance_at('acme', %s, t) FROM unnest("
                  "%s) WITH ORDINALITY AS u (t, o) ORDER BY o", name, asked)
        assert [b for b, in got] == [history.balance(name, at)
                                     for at in asked], name
    assert run(operator, "SELECT ch.balance_at('acme', 'bank', 'epoch')::text"
               ) == [("0.000",)]


@pytest.mark.parametrize("call", (
    "balance_at(%s, %s, now())", "balance_at(%s, %s, 'epoch')",
    "statement(%s, %s, 'epoch', 'infinity')",
    "statement(%s, %s, '1999-01-01', '2000-01-01')",
    "statement(%s, %s, 'infinity', 'epoch')", "check_account(%s, %s)"))
def test_a_typing_error_is_no_empty_account(db, connect, call):
    Rows(db, "acme").account("bank")
    operator = connect()
    run(operator, f"SELECT * FROM ch.{call}", "acme", "bank")
    for org, account, hint in (("acme", "acme/bank", "without the organis"),
                               ("amce", "bank", "SELECT name FROM ch.orgs")):
        with pytest.raises(psycopg2.errors.NoDataFound, match="no account "
                           f"{account} of organisation {org}") as raised:
            run(operator, f"SELECT * FROM ch.{call}", org, account)
        assert hint in raised.value.diag.message_hint


@pytest.mark.parametrize("name", ACCOUNTS)
def test_a_statement_has_refs_counter_accounts_and_the_running_balance(
        history, connect, name):
    operator = connect()
    times = sorted({leg[0] for leg in history.legs})
    since, until = times[len(times) // 4], times[-len(times) // 4]
    expected, balance = [], history.balance(name, since - MICRO)
    for at, who, amount, ident, ref, other in history.legs:
        if who == name and since <= at < until:
            balance += D(amount) / 1000
            expected.append((at, ident, "transfer.post", ref, [other],
                             D(amount) / 1000, balance))
    assert len(expected) > 10
    got = run(operator, "SELECT decided_at, command_id::text, type, ref, "
              "counter_accounts, amount, balance FROM ch.statement('acme', %s,"
              " %s, %s)", name, since, until)
    assert got == expected
    # what it says last is what the balance is then
    assert expected[-1][-1] == run(
        operator, "SELECT ch.balance_at('acme', %s, %s)", name,
        until - MICRO)[0][0]
    assert run(operator, "SELECT 1 FROM ch.statement('acme', %s, %s, %s)",
               name, until, since) == []


def test_amounts_are_exact_at_every_scale(db, connect):
    rows = Rows(db, "acme")
    most = 2**63 - 1
    for scale in range(9):
        rows.account(f"a{scale}", asset=f"A{scale}", scale=scale)
        rows.account(f"b{scale}", asset=f"A{scale}", scale=scale)
        rows.post([(f"a{scale}", f"b{scale}", most)])
        digits = str(most)
        text = digits if scale == 0 else f"{digits[:-scale]}.{digits[-scale:]}"
        assert run(connect(), "SELECT ch.balance_at('acme', %s, now())::text, "
                   "balance::text FROM ch.statement('acme', %s, 'epoch', "
                   "'infinity')", f"a{scale}", f"b{scale}") == [
            ("-" + text, text)]


def plan(db, query, *args):
    return "\n".join(line for line, in run(
        db, "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + query, *args))


def test_only_the_days_asked_for_are_read_and_by_their_index(
        history, connect, db):
    since = run(db, "SELECT date_trunc('day', now() AT TIME ZONE 'UTC') AT "
                "TIME ZONE 'UTC' - interval '1 day'")[0][0]
    for role in ("operator", "owner"):
        text = plan(connect(role), "SELECT * FROM ch.statement('acme', 'user',"
                    " %s, %s)", since, since + datetime.timedelta(hours=20))
        assert "Seq Scan on postings" not in text, text
        assert "Seq Scan on command_log" not in text, text
        read = {line.split(" on ")[1].split()[0] for line in text.splitlines()
                if " on postings_" in line and "never executed" not in line
                and "Bitmap" not in line}
        assert read == {f"postings_{since:%Y%m%d}"}, text


def test_a_reader_asks_about_its_own_organisation(history, db, connect, cell,
                                                  database):
    Rows(db, "zorg").everything()
    role = "r_" + uuid.uuid4().hex[:12]
    superuser = psycopg2.connect(cell.url("superuser", database))
    superuser.autocommit = True
    run(superuser, f"CREATE ROLE {role} LOGIN")
    try:
        run(connect(), "SELECT ch.add_reader(%s, 'acme', 'me', 'x')", role)
        reader = psycopg2.connect(cell.url("superuser", database).replace(
            "//postgres@", f"//{role}@"))
        reader.autocommit = True
        for org, there in (("acme", True), ("zorg", False)):
            for call in ("balance_at(%s, 'user', now())",
                         "statement(%s, 'user', 'epoch', 'infinity')",
                         "check_account(%s, 'user')"):
                if there:
                    assert run(reader, f"SELECT 1 FROM ch.{call}", org)
                    continue
                with pytest.raises(psycopg2.errors.NoDataFound):
                    run(reader, f"SELECT 1 FROM ch.{call}", org)
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            run(reader, "SELECT * FROM ch.command_status('x')")
        reader.close()
    finally:
        run(superuser, f"DROP OWNED BY {role}")
        run(superuser, f"DROP ROLE {role}")
        superuser.close()


def wrong(db, name):
    return run(db, "SELECT what, expected, found FROM ch.check_account('acme',"
               " %s) WHERE NOT ok", name)


def test_the_check_of_one_account(db, connect):
    rows = Rows(db, "acme").everything()
    operator = connect()
    assert run(operator, "SELECT what, expected, found, note FROM "
               "ch.check_account('acme', 'user')") == [
        ("rows", 1, 1, "one, or one a shard"),
        ("balance", D("97.50"), D("97.50"), "2 postings"),
        ("running balance", 0, 0,
         "postings whose balance_after is not the sum so far"),
        ("held", D("5.00"), D("5.00"),
         "holds 3.00, locks 2.00, settlements 0.00"),
        ("floor", D("0.00"), D("92.50"), "balance less held")]
    for name in ("user", "bank", "fees"):
        assert wrong(operator, name) == []
    assert [what for what, *_ in run(
        operator, "SELECT what FROM ch.check_account('acme', 'fees')")] == [
        "rows", "balance#0", "balance#1", "running balance", "held"]

    user = rows.accounts["user"]
    run(db, "UPDATE balances SET balance = balance + 1 WHERE account_id = %s",
        user)
    assert wrong(operator, "user") == [("balance", D("97.50"), D("97.51"))]
    run(db, "UPDATE balances SET balance = balance - 1, held = held + 2 WHERE "
        "account_id = %s", user)
    assert wrong(operator, "user") == [("held", D("5.00"), D("5.02"))]
    run(db, "UPDATE balances SET held = held - 2 WHERE account_id = %s", user)
    run(db, "UPDATE postings SET balance_after = 1 WHERE account_id = %s "
        "AND amount = -250", user)
    assert wrong(operator, "user") == [("running balance", 0, 1)]
    run(db, "UPDATE balances SET held = held + 3 WHERE account_id = %s",
        rows.accounts["bank"])
    assert wrong(operator, "bank") == [("held", D("5.00"), D("5.03"))]
    run(db, "DELETE FROM balances WHERE account_id = %s AND shard = 1",
        rows.accounts["fees"])
    assert wrong(operator, "fees") == [
        ("rows", 2, 1), ("balance#1", D("2.50"), None)]


def test_sealed_days_are_refused_and_counted(history, db, connect):
    operator = connect()
    run(db, "UPDATE reconcile_progress SET watermark = 1000000")
    run(operator, "SELECT ch.set_keep_days('postings', 2, 'me', 'x')")
    taken = run(operator, "SELECT snapshot_id FROM ch.take_snapshot('me','x')")
    past_is_over(operator, taken[0][0])
    assert run(operator, "SELECT * FROM ch.verify_snapshot(%s, 'me')",
               taken[0][0]) == []
    for day, in run(db, "SELECT day FROM retention_status() WHERE table_name ="
                    " 'postings' AND day < current_date - 2 ORDER BY day"):
        (n,), = run(db, "SELECT count(*) FROM postings WHERE (decided_at AT "
                    "TIME ZONE 'UTC')::date = %s", day)
        run(operator, "SELECT ch.confirm_archive(ch.record_archive("
            "'postings', %s, 'f', %s, %s, 'me'), %s, %s, 'me', 'x')", day,
            "0" * 64, n, "0" * 64, n)
        run(operator, "SELECT ch.drop_day('postings', %s, 'me', 'x')", day)
    lowest = run(db, "SELECT lowest_day::timestamp AT TIME ZONE 'UTC' FROM "
                 "retention WHERE table_name = 'postings'")[0][0]
    assert run(db, "SELECT count(*) > 0 FROM sealed_postings") == [(True,)]
    for name in ACCOUNTS:
        assert run(operator, "SELECT ch.balance_at('acme', %s, %s)", name,
                   lowest) == [(history.balance(name, lowest),)]
        (last,), = run(operator, "SELECT balance FROM ch.statement('acme', %s,"
                       " %s, 'infinity') ORDER BY batch DESC LIMIT 1", name,
                       lowest)
        assert last == history.balance(name, history.rows.at())
        assert wrong(operator, name) == []
        for call in ("balance_at('acme', %s, %s)",
                     "statement('acme', %s, %s, 'infinity')"):
            with pytest.raises(psycopg2.errors.NoDataFound, match="sealed"):
                run(operator, f"SELECT ch.{call}", name, lowest - MICRO)


def status(db, ident, columns, more=""):
    return run(db, f"SELECT {columns} FROM ch.command_status(%s{more})",
               str(ident))


def test_what_became_of_a_command(db, connect):
    rows = Rows(db, "acme", part=3)
    rows.account("bank")
    rows.account("user")
    rows.post([("bank", "user", 5)])
    ident = rows.post([("bank", "user", 1250)], ref="invoice 7")
    operator = connect()
    assert status(operator, ident, "found_in, org, type, status, topic, part, "
                  "src_offset, log_seq, source, ref, delivered, delivery") == [
        ("command_log", "acme", "transfer.post", "applied", "t.commands", 3,
         1, 2, "kafka", "invoice 7", False, "")]
    assert status(operator, ident, "postings")[0][0] == [
        {"leg": 0, "account": "bank", "shard": 0, "asset": "USD",
         "amount": -12.5, "before": -0.05, "after": -12.55},
        {"leg": 1, "account": "user", "shard": 0, "asset": "USD",
         "amount": 12.5, "before": 0.05, "after": 12.55}]
    run(db, "INSERT INTO relay_progress (slot, streams, log_seqs) VALUES "
        "('s', %s, '{1}')", [rows.stream])
    assert status(operator, ident, "delivered") == [(False,)]
    run(db, "UPDATE relay_progress SET log_seqs = '{2}'")
    assert status(operator, ident, "delivered, delivery LIKE 'slot s: 2 of 2 "
                  "by %%'") == [(True, True)]
    run(db, "INSERT INTO dead_letters (letter_id, source, row_id, topic, "
        "error_class, reason, attempts, blocks_key) VALUES "
        "(gen_random_uuid(), 'command_log', %s, 't', 'x', 'too large', 1, "
        "true)", f"{rows.stream}-2")
    assert status(operator, ident, "delivered, delivery LIKE '%%parked as "
                  "letter%%: too large'") == [(False, True)]
    assert status(operator, ident, "1", ", 'nobody'") == []
    assert status(operator, uuid.uuid4(), "1") == []
    # no day of another partition is read
    text = plan(operator, "SELECT * FROM ch.command_status(%s)", str(ident))
    assert "Seq Scan on command_log" not in text, text


def test_answers_that_did_not_take_the_id_are_found_too(db, connect):
    rows = Rows(db, "acme")
    ulid = "01ARYZ6S41TSV4RRFFQ69G5FAV"
    now = rows.at()
    ident = rows.logged("hold.void", 1, 0, now, status="hold_not_found")
    rows.answer(ident=str(ident))
    rows.answer(ident="no id at all", org_id=None)
    seq = rows.answer(ident="broken")
    rows.letter()
    run(db, "UPDATE answers SET src_offset = %s WHERE log_seq = %s", seq + 1,
        seq)
    operator = connect()
    assert status(operator, ident, "found_in, status, postings") == [
        ("command_log", "hold_not_found", None),
        ("answers", "rate_limited", None)]
    assert status(operator, "no id at all", "found_in, org") == [
        ("answers", None)]
    assert status(operator, "broken", "reason, command") == [
        ("no json", "acme")]
    assert status(operator, ulid, "1") == []
    assert run(db, "SELECT id_of(%s)::text, id_of(lower(%s)) = id_of(%s), "
               "id_of('01ARYZ6S41TSV4RRFFQ69G5FAL'), id_day(id_of(%s))::text",
               ulid, ulid, ulid, ulid) == [
        ("01563df3-6481-d676-4c61-efb99302bd5b", True, None, "2016-07-30")]


def test_an_answer_is_found_among_many_without_reading_its_day(db, connect):
    rows = Rows(db, "acme")
    rows.answer(ident="sought")
    rows.answer(ident="sought")
    # a day's answers, those of a minute beside each other as they come
    run(db, "INSERT INTO answers SELECT %s, 100 + i, i, 0, NULL, now() - "
        "interval '23 hours' * (200000 - i) / 200000, %s, gen_random_uuid(), "
        "'rate_limited', NULL, repeat('x', 200), NULL FROM generate_series(1, "
        "200000) i ORDER BY 4, 2", rows.stream, rows.org_id)
    run(db, "VACUUM (ANALYZE) answers")  # as autovacuum does, for BRIN too
    operator = connect()
    for within in ("1 hour", "1 day"):
        text = plan(operator, "SELECT * FROM ch.command_status('sought', "
                    f"within => '{within}')")
        looked_at = sum(map(int, re.findall(r"Rows Removed by .*: (\d+)",
                                            text)))
        assert looked_at < 10000, text
        assert "Seq Scan on command_log" not in text, text
        assert len(status(operator, "sought", "1", f", within => '{within}'")
                   ) == 2


def test_the_whole_document_about_an_id_reads_no_table_whole(db, connect):
    rows = Rows(db, "acme")
    rows.account("bank")
    rows.account("user")
    ident = rows.post([("bank", "user", 1)])
    rows.answer(ident=str(ident))
    rows.letter()
    many = 40000
    run(db, "INSERT INTO command_log SELECT (jsonb_populate_record(l, "
        "jsonb_build_object('id', overlay(gen_random_uuid()::text PLACING "
        "left(l.id::text, 14) FROM 1), 'log_seq', 1000 + i, 'batch', "
        "1000 + i))).* FROM command_log l, generate_series(1, %s) i "
        "WHERE l.id = %s", many, str(ident))
    run(db, "INSERT INTO answers SELECT (jsonb_populate_record(a, "
        "jsonb_build_object('id_text', gen_random_uuid(), 'log_seq', 100000 + "
        "i, 'result', a.result || repeat(' ', 200)))).* FROM answers a, "
        "generate_series(1, %s) i", many)  # of a real one's size, for BRIN
    run(db, "INSERT INTO rejected SELECT (jsonb_populate_record(r, "
        "jsonb_build_object('letter_id', gen_random_uuid(), 'log_seq', 200000 "
        "+ i))).* FROM rejected r, generate_series(1, %s) i", many)
    run(db, "INSERT INTO outbox (seq, id, aggregatetype, aggregateid, type, "
        "payload, created_at) SELECT l.batch * 1048576, gen_random_uuid(), "
        "'a', 'b', 'c', json_build_object('command_id', l.id), l.decided_at "
        "FROM command_log l")
    run(db, "VACUUM (ANALYZE) command_log, answers, rejected, outbox, "
        "postings")
    operator = connect()
    run(operator, "PREPARE document (text, text, int8) AS " +
        EXPLAIN.read_text())
    text = plan(operator, f"EXECUTE document ('{ident}', NULL, 86400)")
    looked_at = sum(map(int, re.findall(r"Rows Removed by .*: (\d+)", text)))
    assert looked_at < many / 4, text
    assert not re.search(r"Seq Scan on (command_log|answers|rejected|outbox|"
                         r"postings)_\d+ .*rows=[1-9]", text), text
    found = run(operator, f"EXECUTE document ('{ident}', NULL, 86400)")[0][0]
    assert [r["found_in"] for r in json.loads(found)["rows"]] == [
        "command_log", "answers"]


def test_the_accounts_of_a_command(db):
    def accounts(command, result):
        return run(db, "SELECT command_accounts(%s, %s)",
                   json.dumps(command).encode(), json.dumps(result))[0][0]
    assert accounts({"type": "group", "meta": {"from": "no"}, "commands": [
        {"moves": [{"from": "a", "to": "b"}]},
        {"type": "trade.record", "account": "c", "skim": {"to": "d"}}]},
        {"balances": [{"account": "e"}, {"account": "a"}]}) == list("abcde")
    assert accounts({"from": "a"}, {}) == ["a"]
    assert run(db, "SELECT command_accounts('', '{}'), command_accounts("
               "%s, '{\"balances\":[]}')", b'{"meta":1e999999,"to":"x"}') == [
        ([], ["x"])]
