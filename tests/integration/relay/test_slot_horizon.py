"""What is committed before a slot begins, and is not in the tables yet when they
are read: a commit shows when its synchronous standby has answered. The slot
never sends it, so the tables are read when they show it."""

import json
import threading
import uuid

import pytest

from harness.wait import until

STANDBY = "ALTER SYSTEM SET synchronous_standby_names = 'nobody'"


class Writers:
    """Transactions of one outbox table, each on its own connection."""

    def __init__(self, connect, boss, row):
        self.connect, self.boss, self.row = connect, boss, row
        self.open, self.rows, self.hidden = {}, {}, None

    def ask(self, text, *args):
        with self.boss.cursor() as cur:
            cur.execute(text, args or None)
            return cur.fetchall() if cur.description else None

    def write(self, name, sync="local"):
        db = self.connect()
        db.autocommit = False
        self.open[name] = db
        with db.cursor() as cur:
            cur.execute(f"SET LOCAL synchronous_commit = {sync}")
            self.rows[name] = self.row(cur, name)
            cur.execute("SELECT pg_current_xact_id()::text, pg_backend_pid()")
            return cur.fetchone()

    def commit(self, name):
        self.open.pop(name).commit()

    def waited_for(self, xid):
        """By the walsender, which makes a slot meanwhile."""
        until(lambda: self.ask(
            "SELECT 1 FROM pg_locks WHERE locktype = 'transactionid' AND NOT "
            "granted AND transactionid::text = %s", xid), 60,
            "the slot waits for " + xid)

    def hide(self, name):
        """Committed, and not seen by anybody: until show()."""
        xid, pid = self.write(name, sync="on")
        db = self.open.pop(name)
        self.hidden = threading.Thread(target=db.commit)
        self.hidden.start()
        until(lambda: self.ask("SELECT 1 FROM pg_stat_activity WHERE pid = %s "
                               "AND wait_event = 'SyncRep'", pid), 60,
              "it waits for its standby")
        return f"transaction {xid} of backend {pid}"

    def show(self):
        self.ask("ALTER SYSTEM RESET synchronous_standby_names")
        self.ask("SELECT pg_reload_conf()")
        if self.hidden is not None:
            self.hidden.join(60)

    def close(self):
        for db in self.open.values():
            db.close()


def set_up(cell, connect, row):
    boss = cell.connect("superuser", "postgres")
    made = Writers(connect, boss, row)
    made.ask(STANDBY)
    made.ask("SELECT pg_reload_conf()")
    return made


def shop_row(cur, name):
    row = str(uuid.uuid4())
    cur.execute("INSERT INTO public.outbox (id, aggregatetype, aggregateid, "
                "type, payload) VALUES (%s, 'Order', %s, 'Created', %s)",
                (row, name, json.dumps(name)))
    return row


@pytest.fixture
def application(bare, cell, daemons):
    """(its cell, the topic, start, writers)"""
    bare.alone.install("public.outbox", "outbox_relay")
    made = set_up(cell, bare.alone.connect, shop_row)

    def start():
        return daemons("outbox-relay", wait_ready=False, **bare.flags())
    yield bare, bare.topic, start, made
    made.show()
    made.close()


@pytest.fixture
def ledger(relay_cell, relay, cell):
    made = set_up(cell, lambda: cell.connect("owner", relay_cell.database),
                  lambda cur, name: relay_cell.event(name, cur=cur))
    yield (relay_cell, relay_cell.stock, lambda: relay(wait_ready=False),
           made)
    made.show()
    made.close()


def hidden_behind_a_slot(start, writers):
    """A slot is made while c is committed and hidden; d is open. The relay, and
    how c is called."""
    a, _ = writers.write("a")
    daemon = start()
    writers.waited_for(a)
    b, _ = writers.write("b")
    writers.commit("a")
    writers.waited_for(b)
    hidden = writers.hide("c")
    writers.write("d")
    writers.commit("b")
    until(lambda: "event=relay.scan_waits" in daemon.logged(), 60, "told")
    return daemon, hidden


def arrived(rows, topic, writers, names):
    until(lambda: {writers.rows[n] for n in names} <= set(rows.ids(topic)), 60,
          "these arrive: " + names)


@pytest.mark.parametrize("kind", ["application", "ledger"])
def test_a_commit_that_waits_for_its_standby_while_the_slot_is_made(
        kind, request):
    """It is read with the tables, and what is merely open not waited for."""
    rows, topic, start, writers = request.getfixturevalue(kind)
    daemon, hidden = hidden_behind_a_slot(start, writers)
    assert hidden in daemon.logged()
    until(lambda: "[-]scan " + hidden in daemon.get("/readyz?verbose")[1], 60,
          "it is not ready, and says why")
    assert daemon.get("/readyz")[0] == 503
    assert daemon.metric("relay_rows_scanned_total") == 0
    writers.show()
    arrived(rows, topic, writers, "abc")
    until(lambda: daemon.metric("relay_streams_total") == 1, 60, "it tails")
    until(lambda: daemon.get("/readyz")[0] == 200, 60, "ready")
    writers.commit("d")
    arrived(rows, topic, writers, "d")
    assert len(rows.ids(topic)) == 4


def test_a_relay_killed_while_it_waits(application):
    """The next one finds the slot made, and waits for all that runs."""
    rows, topic, start, writers = application
    daemon, hidden = hidden_behind_a_slot(start, writers)
    assert daemon.kill() != 0
    daemon = start()
    until(lambda: hidden in daemon.logged(), 60, "told again")
    writers.show()
    writers.commit("d")
    arrived(rows, topic, writers, "abcd")


def test_a_transaction_too_large_for_the_slots_snapshot(application):
    """Of so many subtransactions PostgreSQL makes none: the slot is made
    without, and all that runs then is waited for."""
    rows, topic, start, writers = application
    a, _ = writers.write("a")
    daemon = start()
    writers.waited_for(a)
    b, _ = writers.write("b")
    writers.commit("a")
    writers.waited_for(b)
    d, _ = writers.write("d")
    with writers.open["d"].cursor() as cur:
        cur.execute("CREATE TEMP TABLE many (n int)")
        cur.execute("DO $$ BEGIN FOR n IN 1 .. 500 LOOP BEGIN INSERT INTO many "
                    "VALUES (n); EXCEPTION WHEN division_by_zero THEN NULL; "
                    "END; END LOOP; END $$")
    writers.write("e")
    writers.commit("e")
    writers.commit("b")
    writers.waited_for(d)
    f, _ = writers.write("f")
    writers.commit("d")
    writers.waited_for(f)
    hidden = writers.hide("c")
    writers.commit("f")
    until(lambda: hidden in daemon.logged(), 60, "told")
    writers.show()
    arrived(rows, topic, writers, "abcdef")
