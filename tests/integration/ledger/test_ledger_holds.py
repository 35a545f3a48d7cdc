"""Holds and reservations end exactly once: captured, voided, or by time, at
the boundary, idle, in masses, with their writer gone.

HOLDS= (default 100000) and RESERVATIONS= (default 20000) run out at once in the
tests of masses."""

import datetime
import os
import pathlib

import ledger_oracle
import pytest
from harness.wait import until
from ledger_kit import clock_shim, command, now, peak, rfc3339, transfer, v7

HERE = pathlib.Path(__file__).resolve().parent
BACKLOG = int(os.environ.get("BACKLOG") or 40000)
HOLDS = int(os.environ.get("HOLDS") or 100000)
RESERVATIONS = int(os.environ.get("RESERVATIONS") or 20000)
LATE = "coalesce(max(decided_at - {}), interval '0')"


def hold(seconds, name=None, **fields):
    return command("hold.place", **{"from": "a"}, amount="1.00",
                   expires_at=rfc3339(seconds),
                   **({"hold": name} if name else {}), **fields)


def reserve(seconds, name=None, **fields):
    return command("stock.reserve", sku="s", qty="1",
                   expires_at=rfc3339(seconds),
                   **({"reservation": name} if name else {}), **fields)


def applied(ledger, *cmds):
    ledger.send(*cmds)
    for cmd in cmds:
        assert ledger.answer(cmd)["status"] == "applied", ledger.answer(cmd)


def prepare(ledger):
    ledger.open_books()
    applied(ledger, transfer("house", "a", "1000000.00"),
            command("stock.receive", sku="s", qty="1000000"))


def open_holds(ledger):
    return ledger.value("SELECT (SELECT count(*) FROM holds WHERE "
                        "state = 'held') + (SELECT count(*) FROM "
                        "reservations WHERE state = 'reserved')")


def ends(ledger):
    """How often each hold and reservation ended by a row of the log."""
    return dict(ledger.rows("""
        SELECT name, count(*) FROM (
            SELECT convert_from(command, 'UTF8')::jsonb AS c FROM command_log
            WHERE status = 'applied' AND type IN ('hold.capture',
                'hold.void', 'hold.expire', 'reservation.commit',
                'reservation.release', 'reservation.expire')) l,
            coalesce(c ->> 'hold', c ->> 'reservation') AS name
        GROUP BY name"""))


def test_each_ends_once_however_many_end_it_at_the_same_time(
        ledger, tmp_path):
    """Captured, voided and run out at once, through all partitions."""
    ledger.writers({"batch_records": 7}, {"batch_records": 9})
    prepare(ledger)
    names = [f"n{i}" for i in range(240)]
    due = now() + 12
    deadline = rfc3339(due - now())
    places = [command("hold.place", **{"from": "a"}, amount="1.00", hold=n,
                      expires_at=deadline) for n in names]
    places += [command("stock.reserve", sku="s", qty="2", reservation=f"r{n}",
                       expires_at=deadline) for n in names]
    applied(ledger, *places)
    until(lambda: now() > due - 0.5, 20, "it is almost time")
    start = ledger.consumed()
    sent = 0
    for at in range(0, len(names), 40):
        some = names[at:at + 40]
        for part, make in enumerate((
                lambda n: command("hold.capture", hold=n, to="b"),
                lambda n: command("hold.void", hold=n),
                lambda n: command("reservation.commit", reservation=f"r{n}",
                                  qty="1"),
                lambda n: command("reservation.release",
                                  reservation=f"r{n}"))):
            cmds = [make(n) for n in some]
            ledger.send(*cmds[:20], partition=part)
            ledger.send(*reversed(cmds[20:]), partition=(part + 1) % 4)
            sent += len(cmds)
    ledger.wait_consumed(start + sent)
    until(lambda: open_holds(ledger) == 0, 60, "everything has ended")
    ended = ends(ledger)
    assert ended == {n: 1 for x in names for n in (x, f"r{x}")}
    assert ledger.value("SELECT held FROM balances JOIN accounts USING "
                        "(org_id, account_id) WHERE name = 'a'") == 0
    assert ledger.value("SELECT reserved FROM stock") == 0
    ledger.check_books()
    ledger_oracle.assert_equal(ledger, tmp_path)


@pytest.fixture
def stopped_clock(tmp_path):
    """(flags for a writer, a function that sets its clock)."""
    clock = tmp_path / "clock"

    def set_to(us):
        clock.write_text(f"{us:020}")
    return {"env": clock_shim(tmp_path, CLOCK_FILE=str(clock)),
            "clock_tolerance": "60s", "sweep_every": "60s"}, set_to


def at_us(us):
    at = datetime.datetime.fromtimestamp(us // 1000000, datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{us % 1000000:06}Z"


def test_a_deadline_is_reached_with_its_very_microsecond(
        ledger, stopped_clock, tmp_path):
    """One microsecond before it, a capture counts; with it, none does, and the
    hold has run out before the capture is looked at."""
    flags, set_clock = stopped_clock
    begin = int(datetime.datetime.now().timestamp()) * 1000000 + 123456
    set_clock(begin)
    ledger.writer(**flags)
    ids = int(begin / 1000)
    prepare(ledger)
    due = begin + 5000000
    make = [("hold.place", {"from": "a", "amount": "5.00"}, "hold"),
            ("stock.reserve", {"sku": "s", "qty": "5"}, "reservation")]
    for type_, fields, member in make:
        for name in ("before", "with"):
            applied(ledger, command(type_, id_=v7(ids), expires_at=at_us(due),
                                    **fields, **{member: name}))
    finish = [("hold.capture", {"to": "b"}, "hold"),
              ("reservation.commit", {}, "reservation")]
    set_clock(due - 1)
    for type_, fields, member in finish:
        cmd = command(type_, id_=v7(ids), **fields, **{member: "before"})
        answer = ledger.do(cmd)
        assert answer["status"] == "applied"
        assert answer["decided_at"] == at_us(due - 1)
    late = [command(t, id_=v7(ids), expires_at=at_us(due), **f,
                    **{m: "too-late"}) for t, f, m in make]
    set_clock(due)
    for (type_, fields, member), place in zip(finish, late):
        cmd = command(type_, id_=v7(ids), **fields, **{member: "with"})
        answer = ledger.do(cmd)
        assert answer["status"] == f"{member}_expired", answer
        assert answer["decided_at"] == at_us(due)
        assert ledger.rows(
            "SELECT t.decided_at = c.decided_at, t.batch = c.batch, "
            "t.pos < c.pos FROM command_log t, command_log c WHERE "
            "t.type = %s AND c.id::text = %s", f"{member}.expire",
            cmd["id"]) == [(True, True, True)]
        assert ledger.do(place)["status"] == f"{member}_expired"
    ledger.check_books()
    ledger_oracle.assert_equal(ledger, tmp_path)


def test_idle_partitions_settle_what_runs_out_by_their_sweeps(ledger):
    """Nothing else happens on any partition. Judged by decided_at, which is
    the writer's own clock: long before anything else that a writer does from
    time to time (15 s)."""
    ledger.writers({"sweep_every": "1s"}, {"sweep_every": "1s"})
    prepare(ledger)
    applied(ledger, *[make(s, f"i{i}") for i, s in enumerate(
        (8, 8.4, 8.9, 9.6, 10.4)) for make in (hold, reserve)])
    until(lambda: open_holds(ledger) == 0, 60, "all have run out")
    for table, kind in (("holds", "hold"), ("reservations", "reservation")):
        late = ledger.value(
            f"SELECT extract(epoch FROM max(decided_at - expires_at)) FROM "
            f"command_log JOIN {table} h ON h.name = convert_from(command, "
            f"'UTF8')::jsonb ->> '{kind}' WHERE type = '{kind}.expire'")
        print(f"{kind}: {late} s behind its deadline at most")
        assert 0 <= late < 12
    ledger.check_books()


def test_what_runs_out_while_no_writer_is_there_is_settled_after(
        ledger, tmp_path):
    first = ledger.writer(sweep_every="60s")  # it settles none of them
    prepare(ledger)
    applied(ledger, *[hold(10, f"d{i}") for i in range(20)],
            *[reserve(10, f"d{i}") for i in range(20)])
    first.kill()
    cmd = command("hold.capture", hold="d3", to="b")
    ledger.send(cmd)
    until(lambda: ledger.value(
        "SELECT count(*) FROM holds WHERE expires_at > clock_timestamp()")
        == 0, 60, "all are due")
    assert open_holds(ledger) == 40
    ledger.writer()
    assert ledger.answer(cmd)["status"] == "hold_expired"
    until(lambda: open_holds(ledger) == 0, 60, "all have run out")
    assert set(ends(ledger).values()) == {2}  # d3: the hold and the reservation
    ledger.check_books()
    ledger_oracle.assert_equal(ledger, tmp_path)


def test_whoever_takes_a_partition_over_settles_its_holds(ledger, tmp_path):
    """Its owner is killed; no record comes to any partition any more."""
    first, second = ledger.writers({"client_id": "first"},
                                   {"client_id": "second"})
    prepare(ledger)
    applied(ledger, *[hold(10, f"t{i}") for i in range(30)],
            *[reserve(10, f"t{i}") for i in range(30)])
    for part in range(4):
        cmds = [hold(10, f"p{part}"), reserve(10, f"p{part}")]
        ledger.send(*cmds, partition=part)
        assert all(ledger.answer(c)["status"] == "applied" for c in cmds)
    first.kill()
    until(lambda: open_holds(ledger) == 0, 60, "all have run out")
    until(lambda: ledger.rows(
        "SELECT DISTINCT owner FROM consumer_partitions WHERE topic = %s",
        ledger.topic) == [("second",)], 60, "the second has all partitions")
    assert second.running()
    assert set(ends(ledger).values()) == {2}
    ledger.check_books()
    ledger_oracle.assert_equal(ledger, tmp_path)


# ---- masses

def place_by_sql(ledger, accounts, each, deadline):
    """Holds as if they had been placed: too many to send one by one. In one
    transaction: some may be due before it ends."""
    cur = ledger.db.cursor()
    cur.execute("""
        INSERT INTO holds (org_id, hold_id, account_id, name, amount,
            expires_at, stream, last_at)
        SELECT org_id, nextval('hold_seq'), account_id,
            a.name || '/' || i, 1, %s,
            (SELECT min(stream) FROM consumer_partitions), now()
        FROM accounts a, generate_series(1, %s) i WHERE a.name = ANY (%s);
        UPDATE balances b SET balance = balance + %s, held = held + %s
        FROM accounts a WHERE a.org_id = b.org_id
            AND a.account_id = b.account_id AND a.name = ANY (%s)""",
                (deadline, each, accounts, each, each, accounts))


def reserve_by_sql(ledger, skus, each, deadline):
    """Reservations as if they had been made, as place_by_sql."""
    cur = ledger.db.cursor()
    cur.execute("""
        INSERT INTO reservations (org_id, reservation_id, sku_id, name, qty,
            expires_at, stream, last_at)
        SELECT org_id, nextval('reservation_seq'), sku_id,
            k.name || '/' || i, 2, %s,
            (SELECT min(stream) FROM consumer_partitions), now()
        FROM skus k, generate_series(1, %s) i WHERE k.name = ANY (%s);
        UPDATE stock s SET on_hand = on_hand + 2 * %s,
            reserved = reserved + 2 * %s
        FROM skus k WHERE k.org_id = s.org_id AND k.sku_id = s.sku_id
            AND k.name = ANY (%s)""",
                (deadline, each, skus, each, each, skus))


def run_out_at_once(ledger, kind, count, place):
    """Of the count two fifths stand on the owner "one", the others on sixty.
    place(ledger, owners, each, deadline) makes them."""
    deadline = rfc3339(3 + count / 20000)
    many = [f"m{i}" for i in range(60)]
    place(ledger, many, count * 6 // 10 // len(many), deadline)
    place(ledger, ["one"], count * 4 // 10, deadline)
    until(lambda: ledger.rows("SELECT FROM command_log WHERE type = %s "
                              "LIMIT 1", f"{kind}.expire"), 60, "the first")


def settled_in_bounded_batches(ledger, writer, kind, total):
    """All of them have run out, by sweeps of at most 1000."""
    type_ = f"{kind}.expire"
    until(lambda: open_holds(ledger) == 0, 180, "all have run out", every=0.3)
    took, batches, rows = ledger.rows(
        "SELECT extract(epoch FROM max(decided_at) - min(decided_at)), "
        "count(DISTINCT batch), count(*) FROM command_log WHERE type = %s",
        type_)[0]
    largest = ledger.value(
        "SELECT max(n) FROM (SELECT count(*) AS n FROM command_log l WHERE "
        "type = %s AND NOT EXISTS (SELECT FROM command_log c "
        "WHERE c.batch = l.batch AND c.source = 'kafka') GROUP BY batch) x",
        type_)
    print(f"{total} of {kind} in {took} s, {batches} batches, a sweep had "
          f"{largest} at most; {peak(writer)} MiB")
    assert largest <= 1000
    assert rows == total
    assert peak(writer) <= 64


def test_masses_that_run_out_at_once_are_settled_in_bounded_batches(ledger):
    """And whoever asks for an account meanwhile finds all of it settled,
    however much there is: no answer shows that a sweep is bounded."""
    writer = ledger.writer(sweep_rows=1000)
    ledger.open_books()
    applied(ledger, *[command("account.open", account=n, asset="USD")
                      for n in [*(f"m{i}" for i in range(60)), "one"]])
    run_out_at_once(ledger, "hold", HOLDS, place_by_sql)
    total = ledger.value("SELECT count(*) FROM holds")
    answer = ledger.do(transfer("one", "b", "1.00"))
    assert answer["status"] == "applied", answer
    one = [b for b in answer["balances"] if b["account"] == "one"][0]
    assert one["held"] == "0.00", answer
    settled_in_bounded_batches(ledger, writer, "hold", total)
    assert ledger.value("SELECT sum(held)::int8 FROM balances") == 0


def test_masses_of_stock_that_run_out_at_once_are_settled_so_too(ledger):
    """Who reserves meanwhile gets what they set aside, to the last piece."""
    writer = ledger.writer(sweep_rows=1000)
    ledger.open_books()
    applied(ledger, *[command("stock.receive", sku=n, qty="1")
                      for n in [*(f"m{i}" for i in range(60)), "one"]])
    run_out_at_once(ledger, "reservation", RESERVATIONS, reserve_by_sql)
    total = ledger.value("SELECT count(*) FROM reservations")
    whole = str(1 + 2 * (RESERVATIONS * 4 // 10))
    answer = ledger.do(command("stock.reserve", sku="one", qty=whole,
                               reservation="after"))
    assert answer["status"] == "applied", answer
    one = answer["stock"][0]
    assert (one["on_hand"], one["reserved"]) == (whole, whole), answer
    applied(ledger, command("reservation.release", reservation="after"))
    settled_in_bounded_batches(ledger, writer, "reservation", total)
    assert ledger.value("SELECT sum(reserved)::int8 FROM stock") == 0
    assert ledger.value("SELECT count(*) FROM outbox WHERE type = "
                        "'reservation.expired'") == total


def test_a_backlog_of_any_size_is_applied_in_bounded_memory(ledger):
    """Whatever waits in Kafka, and however much of it is due."""
    first = ledger.writer()
    ledger.open_books()
    applied(ledger, *[command("account.open", account=f"m{i}", asset="USD")
                      for i in range(40)])
    first.stop()
    place_by_sql(ledger, [f"m{i}" for i in range(40)], 750, rfc3339(-1))
    ledger.send(*[transfer("house", f"m{i % 40}", "0.01", meta={"x": "x" * 200})
                  for i in range(BACKLOG)])
    writer = ledger.writer()
    ledger.wait_consumed(BACKLOG + 45, 180)
    until(lambda: open_holds(ledger) == 0, 60, "all have run out")
    print(f"{BACKLOG} records: {peak(writer)} MiB")
    assert peak(writer) <= 64


def test_what_a_retired_topic_left_runs_out_all_the_same(ledger, kafka):
    """Nobody owns its partitions any more: another topic's owner looks."""
    retired = ledger.writer()
    prepare(ledger)
    applied(ledger, hold(60, "left"), reserve(60, "left"))
    retired.stop()
    assert open_holds(ledger) == 2
    other = kafka.unique("ledger.commands")
    kafka.create(other, partitions=2)
    ledger.writer(commands_topics=other, trades_topics="", fills_topics="")
    until(lambda: open_holds(ledger) == 0, 240, "both have run out")
    assert ledger.rows(
        "SELECT DISTINCT c.topic FROM command_log l JOIN consumer_partitions c "
        "USING (stream) WHERE l.source = 'timer'") == [(other,)]
    ledger.check_books()
