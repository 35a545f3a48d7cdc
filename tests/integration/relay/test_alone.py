"""The relay alone, beside an application's own outbox table: what install.sql
makes is enough, and what was promised of the ledger's tables holds here."""

import json
import re
import subprocess
import time
import urllib.parse
import uuid

import psycopg2
import pytest

from harness.alone import INSTALL
from harness.cell import OUT, drop_slot
from harness.dead_letter_topics import put, spring
from harness.hook_server import HookServer
from harness.shop import TABLE
from harness.wait import until


@pytest.fixture
def relay(shop_relay):
    return shop_relay


def columns(db, schema):
    with db.cursor() as cur:
        cur.execute(
            "SELECT table_name, column_name, data_type, is_nullable "
            "FROM information_schema.columns WHERE table_schema = %s",
            (schema,))
        return set(cur.fetchall())


def constraints(db, schema, tables):
    with db.cursor() as cur:
        cur.execute(
            "SELECT c.relname, k.contype::text, replace("
            "pg_get_constraintdef(k.oid), %s || '.', '') "
            "FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid "
            "WHERE c.relnamespace = %s::regnamespace AND c.relname = ANY (%s)",
            (schema, schema, sorted(tables)))
        return sorted(cur.fetchall())


def triggers(db, schema, tables=None):
    with db.cursor() as cur:
        cur.execute(
            "SELECT replace(pg_get_triggerdef(t.oid), %s || '.', '') "
            "FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
            "WHERE c.relnamespace = %s::regnamespace AND NOT t.tgisinternal "
            "AND (%s IS NULL OR c.relname = ANY (%s))",
            (schema, schema, None if tables is None else sorted(tables),
             sorted(tables or [])))
        return sorted(cur.fetchall())


def bodies(db, schema):
    """Of functions, without the schema's name and how the text is broken."""
    with db.cursor() as cur:
        cur.execute("SELECT proname, replace(prosrc, 'ch.', '') FROM pg_proc "
                    "WHERE pronamespace = %s::regnamespace", (schema,))
        return {name: " ".join(text.split()) for name, text in cur.fetchall()}


# What stands for the ledger's part of them where there is no ledger.
OWN_BODIES = {"letter_resolved", "replay_plan_returns",
              "replay_plans_returned"}
# What looks an application's rows up.
OWN_PRUNING = {"prune_letters", "row_name", "rows_named", "read_before",
               "table_named", "this_system"}


def test_installed_tables_are_those_of_the_schema(shop, db):
    """Nothing has drifted apart; a second install changes nothing."""
    own = {row for row in columns(shop.db, "outbox_relay")
           if row[0] not in ("outbox_tables", "table_publications")}
    tables = {row[0] for row in own}
    assert tables >= {"relay_progress", "dead_letters", "outbox_retry",
                      "letter_states", "letter_replays", "audit_events",
                      "letter_edits", "replay_plans", "replay_plan_letters",
                      "plan_settings", "foreign_letters",
                      "foreign_cursors", "letters",
                      "webhook_deliveries", "webhook_keys", "blocked_keys"}
    assert own == {row for row in columns(db, "ch") if row[0] in tables}
    assert constraints(shop.db, "outbox_relay", tables) == constraints(
        db, "ch", tables)
    ours, theirs = bodies(shop.db, "outbox_relay"), bodies(db, "ch")
    assert ours.keys() >= OWN_BODIES | {"approve_plan", "letter_fingerprint"}
    assert {name: text for name, text in ours.items()
            if name not in OWN_BODIES | OWN_PRUNING} == {
        name: theirs[name]
        for name in ours.keys() - OWN_BODIES - OWN_PRUNING}
    # the trail of a ledger refuses changes of its owner too
    assert triggers(shop.db, "outbox_relay") == triggers(
        db, "ch", tables - {"audit_events"})
    shop.alone.install("public.outbox", "outbox_relay")
    assert columns(shop.db, "outbox_relay") >= own


def test_installed_again_the_letters_are_not_written_anew(shop):
    """Of an install that did not know what they know now."""
    parked = ("INSERT INTO outbox_relay.dead_letters (letter_id, source, row_id,"
              " topic, error_class, reason, attempts, blocks_key) SELECT "
              "gen_random_uuid(), 's', %s, 't', 'c', 'r', 1, false")
    shop.sql(parked, ("old",))
    shop.sql("ALTER TABLE outbox_relay.dead_letters DROP parked_lsn, "
             "DROP is_open CASCADE, DROP fingerprint CASCADE")  # and the views
    before = shop.sql("SELECT pg_relation_filenode('outbox_relay.dead_letters')"
                      ", pg_current_wal_insert_lsn()::text")[0]
    shop.alone.install("public.outbox", "outbox_relay")
    shop.sql(parked, ("new",))
    assert shop.sql("SELECT pg_relation_filenode('outbox_relay.dead_letters')"
                    ) == [(before[0],)]
    assert shop.sql("SELECT row_id, fingerprint IS NULL FROM "
                    "outbox_relay.dead_letters ORDER BY row_id") == [
                        ("new", False), ("old", True)]
    assert shop.sql("SELECT count(*), count(DISTINCT fingerprint) FROM "
                    "outbox_relay.letters") == [(2, 1)]
    assert shop.sql(
        "SELECT row_id, is_open, parked_lsn >= %s::pg_lsn, parked_lsn > "
        "min(parked_lsn) OVER () FROM outbox_relay.dead_letters ORDER BY "
        "parked_lsn", (before[1],)) == [("old", True, True, False),
                                        ("new", True, True, True)]


def rights(db, schema, role):
    """(object, column or "", privilege) that the role was given itself."""
    with db.cursor() as cur:
        cur.execute(
            "SELECT relname, '', privilege_type FROM pg_class, "
            "aclexplode(relacl) WHERE relnamespace = %s::regnamespace "
            "AND grantee = %s::regrole UNION ALL "
            "SELECT relname, attname, privilege_type FROM pg_attribute "
            "JOIN pg_class c ON c.oid = attrelid, aclexplode(attacl) "
            "WHERE relnamespace = %s::regnamespace "
            "AND grantee = %s::regrole UNION ALL "
            "SELECT proname, '', privilege_type FROM pg_proc, "
            "aclexplode(proacl) WHERE pronamespace = %s::regnamespace "
            "AND grantee = %s::regrole", (schema, role) * 3)
        return set(cur.fetchall())


def test_operators_may_what_those_of_the_ledger_may(shop, db):
    """The relay's tables have the same rights; a function that there is."""
    own = rights(shop.db, "outbox_relay", "ch_operator")
    names = {row[0] for row in columns(shop.db, "outbox_relay")}
    names |= bodies(shop.db, "outbox_relay").keys()
    ledger = {r for r in rights(db, "ch", "ch_operator") if r[0] in names
              and r[0] not in OWN_BODIES}
    assert ("letter_states", "", "UPDATE") not in own
    assert ("approve_plan", "", "EXECUTE") in own
    assert own == ledger


@pytest.fixture
def people(shop):
    """people("ann"): the address of a login among the operators."""
    made = []

    def add(name):
        role = f"{name}{uuid.uuid4().hex[:8]}"
        shop.sql(f"CREATE ROLE {role} LOGIN IN ROLE ch_operator")
        made.append(role)
        return shop.cell.url("superuser", shop.database).replace(
            "//postgres@", f"//{role}@")
    yield add
    for role in made:
        shop.sql(f"DROP ROLE {role}")


def dlq_of(shop, url, *args):
    flags = shop.flags(database_url=url, dlq_two_person="role")
    return subprocess.run(
        [str(OUT / "bin" / "outbox-relay"),
         *(f"--{k}={v}" for k, v in flags.items()), "dlq", *args],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=60)


def test_operators_are_people_and_not_the_relay(shop, relay, kafka, people):
    """Two logins, so that two roles can be asked for; nothing of the table."""
    ann, bob = people("ann"), people("bob")
    relay(topic_wait="0s")
    row = shop.order("k1", kind="Missing")
    until(lambda: shop.letters(), 60, "the letter")
    kafka.create(f"{shop.prefix}Missing")
    plan = dlq_of(shop, ann, "plan", "--where", "kind = 'delivery'",
                  "--reason", "r", "--actor", "ann")
    assert plan.returncode == 0, plan.stdout
    number = plan.stdout.rsplit("\nplan ", 1)[1].split()[0]
    again = dlq_of(shop, ann, "approve", number, "--reason", "r", "--actor",
                   "bob")
    assert again.returncode != 0 and "two roles" in again.stdout
    for verb in ("approve", "run"):
        args = ["--reason", "r"] if verb == "approve" else []
        done = dlq_of(shop, bob, verb, number, *args, "--actor", "bob")
        assert done.returncode == 0, done.stdout
    until(lambda: shop.ids(f"{shop.prefix}Missing") == [row], 60, "replayed")
    may = shop.sql(
        "SELECT has_table_privilege('ch_operator', 'public.outbox', 'SELECT, "
        "INSERT, UPDATE, DELETE'), has_any_column_privilege('ch_operator', "
        "'outbox_relay.relay_progress', 'INSERT, UPDATE'), rolreplication "
        "FROM pg_roles WHERE rolname = 'ch_operator'")
    assert may == [(False, False, False)]


@pytest.fixture
def own_role(bare):
    """What install.sql makes by default, and its own lines to undo it."""
    run(bare, "-v", "table=public.outbox", "-f", str(INSTALL))
    yield "outbox_relay"
    undo = re.findall(r"(?m)^--\t((?:SELECT|DROP).*)$", INSTALL.read_text())
    assert len(undo) == 3
    run(bare, "-c", "\n".join(undo[1:]))
    left = bare.sql("SELECT count(*) FROM pg_namespace, pg_roles WHERE "
                    "nspname = 'outbox_relay' OR rolname ~ '^outbox_relay'")
    assert left[0][0] == 0


def run(bare, *args):
    done = subprocess.run(
        ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d",
         bare.cell.url("superuser", bare.database), *args],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout


def test_installed_by_default_and_uninstalled(bare, own_role, relay,
                                              tmp_path):
    """As docs/alone.md says: a role of its own, with no more than it needs."""
    bare.sql(f"ALTER ROLE {own_role} PASSWORD 'of-a-test'")
    passfile = tmp_path / "pass"
    passfile.write_text("*:*:*:*:of-a-test\n")
    passfile.chmod(0o600)
    at = urllib.parse.urlparse(bare.cell.url("relay", bare.database))
    daemon = relay(database_url=f"postgresql://{own_role}@127.0.0.1:{at.port}"
                   f"/{bare.database}?passfile={passfile}")
    bare.order("k1")
    assert bare.arrived() == 0
    assert daemon.stop() == 0
    may = bare.sql("SELECT has_table_privilege(%s, 'public.outbox', %s)",
                   (own_role, "INSERT, UPDATE, DELETE, TRUNCATE"))
    assert may == [(False,)]


def installing(bare, *args, login=""):
    """What psql says of it, as the file's reader runs it."""
    url = bare.cell.url("superuser", bare.database)
    done = subprocess.run(
        ["psql", "-X", "-d", url.replace("//postgres@", f"//{login}@")
         if login else url, *(f"--set={a}" for a in args), "-f", str(INSTALL)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def test_install_says_what_it_needs_and_what_is_next(bare):
    """Before anything is made; and of a table that another's publication
    leaves out."""
    names = [f"{n}={bare.alone.name}{n[0]}" for n in ("role", "operator")]
    for args, says in ([], "no table is named"), (
            ["table=public.nowhere"], "there is no table public.nowhere"):
        status, said = installing(bare, *args)
        assert status != 0 and says in said and "HINT" in said
    assert bare.sql("SELECT to_regnamespace('outbox_relay')") == [(None,)]
    try:
        status, said = installing(bare, "table=outbox", *names)
        assert (status, "WARNING" in said) == (0, False), said
        assert f"next: \\password {bare.alone.name}r" in said
        assert len(said.splitlines()) == 2
        bare.sql("CREATE TABLE second (id int PRIMARY KEY)")
        status, said = installing(bare, "table=second", *names)
        assert (status, "does not publish public.second" in said) == (0, True), said
        status, said = installing(bare, "table=second", "publication=second",
                                  *names)
        assert (status, "WARNING" in said) == (0, False), said
    finally:
        bare.sql(f"DROP OWNED BY {bare.alone.name}r, {bare.alone.name}o; "
                 f"DROP ROLE {bare.alone.name}r, {bare.alone.name}o")


def test_the_tables_owner_installs_and_is_told_what_is_missing(bare):
    """REPLICATION is a superuser's to give."""
    name = bare.alone.name
    bare.sql(f"CREATE ROLE {name} LOGIN CREATEROLE; GRANT CREATE ON DATABASE "
             f"{name} TO {name}; ALTER TABLE outbox OWNER TO {name}; GRANT "
             f"CREATE ON SCHEMA public TO {name}")
    try:
        status, said = installing(bare, "table=outbox", f"role={name}r",
                                  f"operator={name}o", login=name)
        assert (status, f"ALTER ROLE {name}r REPLICATION" in said) == (
            0, True), said
    finally:
        bare.sql(f"DROP OWNED BY {name}, {name}r, {name}o; "
                 f"DROP ROLE {name}, {name}r, {name}o")


@pytest.mark.parametrize("more, status", [
    ([], 78), (["--outbox_placements=kind:header:type"], 0),
    (["--outbox_placements=type:header"], 0),
    (["--outbox_cloudevents=/shop"], 0),
    (["--outbox_placements=type:header:kind,other:header"], 78)])
def test_a_type_that_no_header_says_is_no_filter(tmp_path, more, status):
    """It would take no event of an application's table, in silence."""
    hooks = tmp_path / "hooks"
    hooks.write_text("[all]\nurl = https://a.example/\nsign = false\n[some]\n"
                     "url = https://b.example/\nsign = false\ntype = Created\n")
    ran = subprocess.run(
        [str(OUT / "bin" / "outbox-relay"), "--outbox_table=public.outbox",
         f"--webhooks={hooks}", *more, "--check-config"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert ran.returncode == status, ran.stdout
    assert status == 0 or '[some] type = \\"Created\\" takes no' in ran.stdout


def test_people_of_their_own_decide_and_the_relay_does_not(bare):
    """install.sql -v operator=: functions for them, for the relay none."""
    people = "people_" + bare.alone.name
    bare.alone.install("public.outbox", "outbox_relay", operator=people)
    bare.sql(f"GRANT {people} TO ch_operator")
    try:
        bare.sql("INSERT INTO outbox_relay.dead_letters (letter_id, source, "
                 "row_id, topic, error_class, reason, attempts, blocks_key) "
                 "SELECT gen_random_uuid(), 's', n::text, 't', 'c', 'r', 1, "
                 "false FROM generate_series(1, 2) n")
        letters = bare.letters()
        for verb in ("discard", "plan"):
            ran = bare.run_dlq(verb, "--topic", "t", "--reason", "r",
                               role="relay")
            assert ran.returncode == 1 and "permission denied" in ran.stderr
        bare.sql(f"SET ROLE {people}")
        for wrong in ("INSERT INTO letter_states (letter_id) VALUES (%s)",
                      "INSERT INTO replay_plan_letters (plan_id, place, "
                      "letter_id) VALUES (1, 1, %s)"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                bare.sql("SET search_path = outbox_relay; " + wrong,
                         (letters[0]["letter_id"],))
        # a table of their own does not stand for the trail
        bare.sql("CREATE TEMP TABLE audit_events AS TABLE "
                 "outbox_relay.audit_events; SELECT outbox_relay.decide_letter("
                 "%s, 'discarded', 'ann', 'junk', 0)",
                 (letters[0]["letter_id"],))
        bare.sql("RESET ROLE; RESET search_path")
        assert bare.sql("SELECT action, actor FROM "
                        "outbox_relay.audit_events") == [("dlq.discard", "ann")]
        assert len(bare.letters()) == 1
    finally:
        bare.sql(f"RESET ROLE; DROP OWNED BY {people}; DROP ROLE {people}")


def test_partitioned_table(shop, relay):
    """Rows come under the root's name, from the table and from the WAL."""
    shop.sql("DROP PUBLICATION outbox_relay")
    shop.sql("ALTER TABLE outbox RENAME TO outbox_one")
    shop.sql("ALTER TABLE outbox_one DROP CONSTRAINT outbox_pkey")
    shop.sql("CREATE TABLE outbox (LIKE outbox_one INCLUDING DEFAULTS) "
             "PARTITION BY HASH (id)")
    shop.sql("ALTER TABLE outbox ATTACH PARTITION outbox_one "
             "FOR VALUES WITH (MODULUS 2, REMAINDER 0)")
    shop.sql("CREATE TABLE outbox_two PARTITION OF outbox "
             "FOR VALUES WITH (MODULUS 2, REMAINDER 1)")
    shop.alone.install("public.outbox", "outbox_relay")
    for n in range(20):
        shop.order(f"k{n % 3}")
    relay()
    for n in range(20):
        shop.order(f"k{n % 3}")
    assert shop.arrived() == 0


def test_rows_arrive_once_over_restarts(shop, relay):
    before = shop.order("k1", payload={"a": None, "b": []})
    daemon = relay()
    for n in range(50):
        shop.order(f"k{n % 5}", payload=n)
    assert shop.arrived() == 0
    record = shop.records(shop.topic)[
        shop.ids(shop.topic).index(before)]
    assert record["payload"] == '{"a": null, "b": []}'
    assert record["headers"] == ["id", before]
    assert daemon.stop() == 0
    for n in range(50):
        shop.order(f"k{n % 5}", payload=n)
    relay()
    assert shop.arrived() == 0


def test_many_rows_of_before(shop, relay):
    """More than a page of them, in the order of outbox_order_by."""
    shop.sql("INSERT INTO outbox (n, id, aggregatetype, aggregateid, type, "
             "payload) SELECT 4501 - i, gen_random_uuid(), 'Order', "
             "'k' || mod(i, 3), 'Created', to_jsonb(4501 - i) "
             "FROM generate_series(1, 4500) i")
    relay()
    got = until(lambda: (r := shop.records(shop.topic)) and len(r) == 4500
                and r, 60, "4500 records")
    for part in range(4):
        numbers = [int(r["payload"]) for r in got if r["partition"] == part]
        assert numbers == sorted(numbers)


def test_lost_slot_is_healed(shop, relay):
    """A foreign table is sent whole again: nothing lost, ids repeat."""
    daemon = relay()
    for n in range(20):
        shop.order(f"k{n % 3}")
    assert shop.arrived() == 0
    assert daemon.stop() == 0
    shop.lose_slot()
    for n in range(20):
        shop.order(f"k{n % 3}")
    relay()
    assert shop.arrived() == 20


def test_lost_slot_is_healed_without_first_snapshot(shop, relay):
    """no_data is for the first start only: never a reason to lose rows."""
    shop.order("k0")
    shop.sent.clear()
    daemon = relay(outbox_snapshot="no_data")
    until(lambda: daemon.metric("relay_streams_total"), 60, "it tails")
    first = shop.order("k1")
    shop.arrived()
    assert shop.ids(shop.topic) == [first]
    assert daemon.stop() == 0
    shop.lose_slot()
    second = shop.order("k1")
    relay(outbox_snapshot="no_data")
    until(lambda: second in shop.ids(shop.topic), 60, "the row of meanwhile")


@pytest.fixture
def no_free_slot(shop):
    """Every slot that the server has is taken, until the test calls it."""
    taken = []

    def release():
        while taken:
            shop.sql("SELECT pg_drop_replication_slot(%s)", (taken.pop(),))
    (most, have), = shop.sql(
        "SELECT current_setting('max_replication_slots')::int, count(*) "
        "FROM pg_replication_slots")
    for n in range(most - have):
        shop.sql("SELECT pg_create_physical_replication_slot(%s)",
                 (f"taken{n}",))
        taken.append(f"taken{n}")
    yield release
    release()


def test_no_data_holds_while_no_slot_is_free(shop, relay, no_free_slot):
    """The first start is the one that begins, not the one that fails."""
    for n in range(30):
        shop.order(f"k{n % 3}")
    shop.sent.clear()
    daemon = relay(wait_ready=False, outbox_snapshot="no_data")
    until(lambda: daemon.logged().count("all replication slots are in use")
          >= 2, 60, "refused, and tried again")
    daemon.kill()
    daemon = relay(wait_ready=False, outbox_snapshot="no_data")
    until(lambda: "all replication slots are in use" in daemon.logged(), 60,
          "refused after a restart")
    no_free_slot()
    until(lambda: daemon.metric("relay_streams_total") >= 1, 120, "it tails")
    shop.order("k1")
    assert shop.arrived() == 0
    assert len(shop.ids(shop.topic)) == 1


def test_no_data_holds_while_a_transaction_lasts(shop, relay):
    """A slot is made when the writes of that moment have ended. The session
    with the lock, which would end after 15 s without a word, lives on."""
    for n in range(30):
        shop.order(f"k{n % 3}")
    shop.sent.clear()
    writer = shop.alone.connect()
    writer.autocommit = False
    with writer.cursor() as cur:
        cur.execute("CREATE TABLE public.long (i int)")
    daemon = relay(wait_ready=False, outbox_snapshot="no_data")

    def leader():
        return shop.sql("SELECT pid FROM pg_locks WHERE locktype = 'advisory' "
                        "AND classid = 17225 AND granted AND database = ("
                        "SELECT oid FROM pg_database "
                        "WHERE datname = current_database())")
    first = until(leader, 60, "it leads")
    until(lambda: shop.sql(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND "
        "query LIKE 'CREATE_REPLICATION_SLOT%%' AND "
        "clock_timestamp() - query_start > '20 s'"), 60, "it waits for long")
    assert leader() == first
    writer.commit()
    writer.close()
    until(lambda: daemon.metric("relay_streams_total") >= 1, 120, "it tails")
    shop.order("k1")
    assert shop.arrived() == 0
    assert len(shop.ids(shop.topic)) == 1
    assert "relay.session_lost" not in daemon.logged()


def test_poisoned_key_waits_and_is_replayed(shop, relay, kafka):
    daemon = relay(topic_wait="0s")
    missing = shop.order("k1", kind="Missing")
    behind = shop.order("k1", kind="Missing")
    shop.order("k1")
    assert shop.arrived() == 0
    letter = until(lambda: shop.letters(), 60, "the letter")[0]
    assert letter["topic"] == f"{shop.prefix}Missing"
    until(lambda: daemon.metric("relay_rows_blocked_total") == 1, 60,
          "the second row waits")
    kafka.create(f"{shop.prefix}Missing")
    shop.dlq("replay", letter["letter_id"], "--reason", "topic made")
    until(lambda: shop.ids(f"{shop.prefix}Missing") == [missing, behind], 60,
          "both, in order")
    actions = shop.sql("SELECT count(*) FROM outbox_relay.audit_events")
    assert actions[0][0] >= 1


def test_an_id_that_comes_again_is_delivered(shop, relay, kafka):
    shop.reuse_ids(kafka, relay(topic_wait="0s"))


def test_discarded_row_that_is_read_again_is_passed_over(shop, relay):
    """The table is read whole after a lost slot; what was put aside and is
    the same row still is told, and not sent."""
    daemon = relay(topic_wait="0s")
    row = shop.order("k1", kind="Missing", payload={"a": None})
    letter = until(shop.letters, 60, "the letter")[0]
    shop.dlq("discard", letter["letter_id"], "--reason", "junk")
    assert daemon.stop() == 0
    shop.lose_slot()
    daemon = relay(topic_wait="0s")
    daemon.wait_metric(1, "relay_rows_passed_over_total")
    assert f"last={row}" in daemon.logged()
    shop.order("k1")
    assert shop.arrived() == 0
    assert shop.letters() == []


def test_webhooks_of_an_applications_table(shop, relay, tmp_path):
    """As of the ledger's outbox; filtered by topic, dead ones replayed."""
    server = HookServer()
    server.answer = lambda request: 410
    conf = tmp_path / "endpoints.conf"
    conf.write_text(f"[a]\nurl = {server.url()}\nallow_http = true\n"
                    f"allow_private = true\nsign = false\n"
                    f"aggregatetype = *.Order\n")
    relay(webhooks=str(conf))
    ids = [shop.order("k1", payload={"n": n}) for n in range(3)]
    assert shop.arrived() == 0
    letter = until(shop.letters, 60, "the letter")[0]
    assert letter["topic"] == "webhook:a" and letter["row_id"] == ids[0]
    server.answer = lambda request: 204
    shop.dlq("replay", letter["letter_id"], "--reason", "mended")
    until(lambda: server.ids() == ids[:1] + ids, 60, "in order")
    assert server.seen()[1].json["data"] == {"n": 0}
    until(lambda: shop.sql("SELECT count(*) FROM outbox_relay"
                           ".webhook_deliveries WHERE done_at IS NULL")
          == [(0,)], 60, "all are done")
    server.stop()


@pytest.fixture
def plain(tmp_path):
    """An endpoint that signs nothing: its server, its file."""
    made = HookServer()
    conf = tmp_path / "endpoints.conf"
    conf.write_text(f"[a]\nurl = {made.url()}\nallow_http = true\n"
                    "allow_private = true\nsign = false\n")
    yield made, str(conf)
    made.stop()


def bodies_of(server):
    return [(r.id, r.json["data"]) for r in server.seen()]


def test_an_id_that_comes_again_goes_to_its_endpoint(shop, relay, plain):
    """With another value it is another event; read again it is the same."""
    server, conf = plain
    daemon = relay(webhooks=conf)
    row = shop.order("k1", payload={"n": 1})
    until(lambda: bodies_of(server) == [(row, {"n": 1})], 60, "the first")
    shop.sql("DELETE FROM outbox")
    shop.order("k1", payload={"n": 2}, row_id=row)
    seen = [(row, {"n": 1}), (row, {"n": 2})]
    until(lambda: bodies_of(server) == seen, 60, "the second")
    until(lambda: "event=webhook.id_reused rows=1" in daemon.logged(), 60,
          "it is told")
    assert daemon.stop() == 0
    shop.lose_slot()
    daemon = relay(webhooks=conf)
    last = shop.order("k1", payload={"n": 3})
    until(lambda: bodies_of(server) == seen + [(last, {"n": 3})], 60,
          "no second delivery")
    assert "webhook.id_reused" not in daemon.logged()


def test_each_event_of_one_id_has_its_letter(shop, relay, plain):
    server, conf = plain
    server.answer = lambda request: 410
    relay(webhooks=conf)
    row = str(uuid.uuid4())
    for n in range(2):
        shop.sql("DELETE FROM outbox")
        shop.order(f"k{n}", payload={"n": n}, row_id=row)
    letters = until(lambda: (x := shop.letters()) and len(x) == 2 and x, 60,
                    "two letters")
    assert {x["row_id"] for x in letters} == {row}
    server.answer = lambda request: 204
    for letter in letters:
        shop.dlq("replay", letter["letter_id"], "--reason", "mended")
    until(lambda: sorted(n["n"] for _, n in bodies_of(server)[2:]) == [0, 1],
          60, "both")


def test_deliveries_of_an_earlier_installation_are_known(shop, relay, plain):
    """What they held was not kept: the same id of the same key is the same."""
    server, conf = plain
    daemon = relay(webhooks=conf)
    row = shop.order("k1", payload={"n": 1})
    until(lambda: shop.sql("SELECT done_at IS NOT NULL FROM "
                           "outbox_relay.webhook_deliveries") == [(True,)],
          60, "delivered")
    assert daemon.stop() == 0
    shop.sql("ALTER TABLE outbox_relay.webhook_deliveries "
             "DROP COLUMN content, ADD CONSTRAINT "
             "webhook_deliveries_endpoint_event_id_key "
             "UNIQUE (endpoint, event_id)")
    shop.sql("ALTER TABLE outbox_relay.dead_letters "
             "DROP COLUMN IF EXISTS came_back")
    for _ in range(2):
        shop.alone.install("public.outbox", "outbox_relay")
    shop.lose_slot()
    relay(webhooks=conf)
    last = shop.order("k1", payload={"n": 2})
    until(lambda: bodies_of(server) == [(row, {"n": 1}), (last, {"n": 2})],
          60, "the old one is not sent as another")
    shop.sql("DELETE FROM outbox")
    shop.order("k2", payload={"n": 3}, row_id=row)
    until(lambda: bodies_of(server)[2:] == [(row, {"n": 3})], 60,
          "of another key it is another")


def test_an_endpoint_serves_one_relay_of_a_schema(shop, relay, tmp_path):
    """Two tables may have equal ids: the second relay waits, loses nothing."""
    server = HookServer()

    def endpoint(name):
        conf = tmp_path / f"{name}.conf"
        conf.write_text(f"[{name}]\nurl = {server.url('/' + name)}\n"
                        "allow_http = true\nallow_private = true\n"
                        "sign = false\n")
        return {"webhooks": str(conf)}

    def seen():
        return {(r.path, r.id) for r in server.seen()}

    shop.sql(TABLE.replace("TABLE outbox", "TABLE payments"))
    shop.alone.install("public.payments", "outbox_relay")
    shop.sql("ALTER PUBLICATION outbox_relay SET TABLE outbox, payments")
    orders = relay(**endpoint("a"))
    payments = relay(wait_ready=False, **endpoint("a"),
                     slot=shop.slot + "_2", outbox_table="public.payments")
    until(lambda: "endpoint a is served by another relay of schema "
          "outbox_relay: give it another name" in payments.logged(), 60,
          "told")
    assert payments.get("/readyz")[0] == 503
    first = shop.order("k1")
    until(lambda: seen() == {("/a", first)}, 60, "the order")
    # it has tried again and again, and was never ready meanwhile
    until(lambda: payments.logged().count("event=relay.session_lost") > 3, 60,
          "tried again")
    assert "event=daemon.ready ready=true" not in payments.logged()
    paid = str(uuid.uuid4())
    shop.sql("INSERT INTO payments (id, aggregatetype, aggregateid, type) "
             "VALUES (%s, 'Order', 'k1', 'Paid')", (paid,))
    assert orders.stop() == 0
    payments.wait_ready()
    until(lambda: seen() == {("/a", first), ("/a", paid)}, 60,
          "the payment, by the other one")
    relay(**endpoint("b"))
    shop.sql("INSERT INTO outbox (id, aggregatetype, aggregateid, type) "
             "VALUES (%s, 'Order', 'k1', 'Created')", (paid,))
    until(lambda: ("/b", paid) in seen(), 60, "the same id, another name")
    server.stop()


def test_a_long_id_keeps_its_name_when_the_slot_is_lost(shop, relay,
                                                        tmp_path):
    """By its row's place, other rows would have the name that it had."""
    server = HookServer()
    conf = tmp_path / "endpoints.conf"
    conf.write_text(f"[a]\nurl = {server.url()}\nallow_http = true\n"
                    "allow_private = true\nsign = false\n")
    shop.sql("ALTER TABLE outbox ALTER id TYPE varchar(200)")

    def order(n):
        shop.sql("INSERT INTO outbox (id, aggregatetype, aggregateid, type, "
                 "payload) VALUES (%s, 'Order', 'k', 'Created', %s)",
                 ("x" * 70 + str(n), json.dumps(n)))

    def came(rows):
        return {r.json["data"] for r in server.seen()} == rows

    order(0)
    order(1)
    daemon = relay(webhooks=str(conf))
    until(lambda: came({0, 1}), 60, "the first")
    assert daemon.stop() == 0
    shop.sql("DELETE FROM outbox WHERE n = 1")
    shop.lose_slot()
    order(2)
    relay(webhooks=str(conf))
    until(lambda: came({0, 1, 2}), 60, "the new one")
    # to Kafka it goes at another time
    until(lambda: shop.ids(shop.topic)[-1] == "x" * 70 + "2", 60, "its id")
    server.stop()


def test_impossible_topic_is_parked(shop, relay):
    relay()
    shop.order("k1", kind="no topic / at all")
    shop.order("k1")
    assert shop.arrived() == 0
    letter = until(lambda: shop.letters(), 60, "the letter")[0]
    assert letter["error_class"] == "invalid_topic"
    assert letter["topic"] == f"{shop.prefix}no topic / at all"


def test_letter_without_a_topic_goes_where_it_is_sent(shop, relay, kafka):
    """By hand and by plan; and no other letter of ours by --to."""
    relay(topic_wait="0s")
    rows = [shop.order("k1", kind="no topic", payload=n) for n in range(2)]
    known = shop.order("k1", kind="Missing")
    until(lambda: len(shop.letters()) == 3, 60, "the letters")
    by_row = {letter["row_id"]: letter for letter in shop.letters()}
    first, second, other = (by_row[row]["letter_id"] for row in
                            rows + [known])
    elsewhere = f"{shop.prefix}elsewhere"
    kafka.create(elsewhere)
    for refused, said in (
            ((first,), "no name that a topic can have: say which with --to"),
            ((other, "--to", elsewhere), f"goes to {shop.prefix}Missing")):
        ran = shop.run_dlq("replay", *refused, "--reason", "r")
        assert ran.returncode == 2 and said in ran.stdout + ran.stderr
    shop.dlq("replay", first, "--reason", "r", "--to", elsewhere)
    # a plan without it holds the letter, with it sends it
    for to, done in ((), "held 1"), (("--to", elsewhere), "sent 1"):
        told = shop.dlq("plan", second, "--reason", "r", *to)
        assert ("no topic can be that" in told) == (to == ())
        number = told.rsplit("\nplan ", 1)[1].split()[0]
        shop.dlq("approve", number, "--reason", "r")
        assert done in shop.dlq("run", number)
    assert shop.ids(elsewhere) == rows
    audit = shop.sql("SELECT before->>'topic', after->>'topic' FROM "
                     "outbox_relay.audit_events WHERE action = 'dlq.replay' "
                     "AND subject = ANY (%s)", ([first, second],))
    assert audit == [(f"{shop.prefix}no topic", elsewhere)] * 2


def test_partition_below_zero_goes_by_the_key_and_is_told(shop, relay):
    shop.sql("ALTER TABLE outbox ADD part int")
    daemon = relay(outbox_placements="part:partition")
    row = shop.order("k1")
    shop.sql("INSERT INTO outbox SELECT n + 1, gen_random_uuid(), "
             "aggregatetype, aggregateid, type, payload, -5 FROM outbox")
    first, second = until(lambda: (x := shop.records(shop.topic)) and
                          len(x) == 2 and x, 60, "both")
    assert first["partition"] == second["partition"]
    assert shop.ids(shop.topic)[0] == row
    told = [line for line in daemon.logged().splitlines()
            if "sink.partition_missing" in line]
    assert len(told) == 1 and "part=-5" in told[0]


def test_partitions_that_were_added_are_sent_to(shop, relay, kafka):
    shop.sql("ALTER TABLE outbox ADD part int")
    topic = f"{shop.prefix}Grows"
    kafka.create(topic, partitions=2)
    daemon = relay(outbox_placements="part:partition")

    def put(part):
        shop.sql("INSERT INTO outbox (id, aggregatetype, aggregateid, type, "
                 "payload, part) VALUES (gen_random_uuid(), 'Grows', 'k', "
                 "'Created', '1', %s)", (part,))

    def parts(count):
        seen = until(lambda: (x := shop.records(topic)) and
                     len(x) == count and x, 60, f"{count} records")
        return sorted(record["partition"] for record in seen)
    put(1)
    assert parts(1) == [1]
    kafka.add_partitions(topic, 6)
    put(5)
    put(4)
    assert parts(3) == [1, 4, 5]
    assert "sink.partition_missing" not in daemon.logged()


def test_unpublished_table_is_refused(shop, relay):
    shop.sql("CREATE PUBLICATION other FOR TABLE outbox_relay.audit_events")
    daemon = relay(wait_ready=False, publication="other")
    until(lambda: "publication other does not publish table public.outbox"
          in daemon.logged(), 60, "told")
    assert daemon.get("/readyz")[0] == 503


def test_a_type_that_is_not_known_is_refused_before_a_row_comes(shop, relay):
    shop.sql("ALTER TABLE outbox ADD price numeric(10, 2)")
    daemon = relay(wait_ready=False, outbox_placements="price:header")
    until(lambda: "public.outbox.price (outbox_placements) is of type "
          "numeric(10,2), known are" in daemon.logged(), 60, "told")
    assert daemon.get("/readyz")[0] == 503
    assert shop.sql("SELECT count(*) FROM pg_replication_slots "
                    "WHERE slot_name = %s", (shop.slot,)) == [(0,)]


def test_rows_of_before_a_column_was_renamed_are_sent(shop, relay):
    """The table is not what the stream is: it is only told, so that a relay of
    before can send what is of before."""
    daemon = relay()
    shop.order("k")
    shop.arrived()
    assert daemon.stop() == 0
    shop.order("k")
    shop.sql("ALTER TABLE outbox RENAME payload TO body")
    daemon = relay(wait_ready=False)
    shop.arrived()
    assert "event=relay.columns " in daemon.logged()
    assert 'has no column \\"payload\\"' in daemon.logged()


def test_an_enum_that_comes_while_the_relay_runs(shop, relay):
    daemon = relay()
    shop.order("k")
    shop.sql("CREATE TYPE kind AS ENUM ('Order'); ALTER TABLE outbox "
             "ALTER aggregatetype TYPE kind USING aggregatetype::kind")
    shop.order("k")
    shop.arrived()
    shop.sql("ALTER TABLE outbox ALTER aggregatetype TYPE text")
    shop.order("k")
    shop.arrived()
    assert daemon.running()


@pytest.mark.parametrize("flags,named", [
    ({"outbox_table": "outbox"}, "public.outbox"),
    ({"routes": "a=b"}, "outbox_topic_regex"),
    ({"source": "poll", "outbox_order_by": ""}, "set outbox_order_by"),
    ({"shards": 2}, "set outbox_table and source = poll"),
    ({"shards": 65, "source": "poll"}, "64"),
    ({"shards": 2, "source": "poll", "webhooks": "/etc/hostname"},
     "set shards = 1, or read the WAL (source = wal)"),
    ({"outbox_placements": "a:b"}, "<column>:header"),
    ({"outbox_topic_regex": "("}, "expression"),
])
def test_wrong_options_end_with_78(shop, daemons, flags, named):
    daemon = daemons("outbox-relay", wait_ready=False, **shop.flags(**flags))
    assert daemon.process.wait(60) == 78
    assert re.search(re.escape(named), daemon.logged())


def planned(shop, *args):
    """Planned, approved by another and run; what `plans` says of it."""
    out = shop.dlq("plan", *args, "--reason", "r", "--actor", "ann")
    number = out.rsplit("\nplan ", 1)[1].split()[0]
    shop.dlq("approve", number, "--reason", "r", "--actor", "bob")
    shop.dlq("run", number)
    return json.loads(shop.dlq("plans", number, "--json"))


def test_a_plan_of_parked_rows(shop, relay, kafka):
    relay(topic_wait="0s")
    rows = [shop.order(f"k{n}", kind="Missing") for n in range(3)]
    until(lambda: len(shop.letters()) == 3, 60, "the letters")
    topic = f"{shop.prefix}Missing"
    dry = shop.dlq("plan", "--topic", topic, "--dry-run", status=2)
    assert f"to {topic} (by the key) (this topic does not exist: " in dry
    kafka.create(topic)
    plan = planned(shop, "--topic", topic, "--canary", "1")
    assert (plan["state"], plan["sent"], plan["returned"]) == ("done", 3, 0)
    assert sorted(shop.ids(topic)) == sorted(rows)
    assert shop.sql("SELECT DISTINCT state FROM outbox_relay.letters") == [
        ("resolved",)]


def test_foreign_letters(shop, kafka):
    """Imported, planned and replayed by the one role that is there."""
    dlt = kafka.unique("dlt")
    kafka.create(dlt)
    put(kafka, dlt, [(0, b"k", b"%d" % n, spring(shop.topic, 2, n))
                     for n in range(3)])
    for _ in range(2):
        shop.dlq("import", dlt, "--from", "earliest", "--reason", "r")
    assert [x["kind"] for x in shop.letters()] == ["foreign"] * 3
    plan = planned(shop, "--where", "kind = 'foreign'")
    assert (plan["state"], plan["sent"]) == ("done", 3)
    assert [(r["payload"], r["partition"]) for r in shop.records(shop.topic)
            ] == [("0", 2), ("1", 2), ("2", 2)]
    assert shop.sql("SELECT count(*) FROM outbox_relay.audit_events "
                    "WHERE action IN ('dlq.import', 'dlq.imported')")[0][0] == 4


def test_a_record_that_its_topic_refuses_is_parked_with_a_reason(bare, kafka,
                                                                 relay):
    """A compacted topic takes no record without a key; what follows goes."""
    bare.sql("ALTER TABLE outbox ALTER aggregateid DROP NOT NULL")
    bare.alone.install("public.outbox", "outbox_relay")
    kafka.create(f"{bare.prefix}Compact", config=("cleanup.policy=compact",))
    relay()
    bare.order(None, "Compact", {})
    until(bare.letters, 60, "the letter")
    bare.order("k")
    until(lambda: bare.ids(bare.topic), 60, "the next")
    [letter] = bare.letters()
    assert letter["error_class"] == "INVALID_RECORD"
    assert "Broker: " in letter["reason"]
    assert "\\x" not in letter["reason"]


def locked_letters(shop, *more):
    """As by VACUUM FULL."""
    other = shop.alone.connect()
    other.autocommit = False
    with other.cursor() as cur:
        cur.execute("LOCK TABLE " + ", ".join(
            f"outbox_relay.{table}" for table in
            ("dead_letters", "letter_states", *more))
            + " IN ACCESS EXCLUSIVE MODE")
    return other


def test_letters_that_are_locked_hold_up_no_event(shop, relay):
    """A key is blocked, so both tables are looked at, and a row is to be put
    aside."""
    daemon = relay(topic_wait="0s")
    shop.order("k1", kind="Missing")
    daemon.wait_metric(1, "relay_letters_total")
    other = locked_letters(shop)
    shop.order("k3", kind="Missing")
    since = time.monotonic()
    while time.monotonic() - since < 6:  # the looks are every 5 s
        shop.order("k2")
        shop.arrived()
    assert daemon.metric("relay_letters_total") == 1
    other.close()
    daemon.wait_metric(2, "relay_letters_total")
    assert daemon.metric("relay_streams_total") == 1
    assert daemon.logged().count("event=relay.letters_locked") == 1


def test_what_is_to_be_put_aside_and_is_read_again_waits_once(shop, relay):
    """The table is read again before that is durable."""
    daemon = relay(topic_wait="0s")
    shop.order("k1", kind="Missing")
    daemon.wait_metric(1, "relay_letters_total")
    other = locked_letters(shop, "outbox_retry")
    shop.order("k1", kind="Missing")
    until(lambda: "event=relay.letters_locked" in daemon.logged(), 60, "told")
    scans = daemon.logged().count("event=relay.scanned")
    db = shop.alone.connect()
    drop_slot(db.cursor(), shop.slot)
    db.close()
    other.close()
    until(lambda: daemon.logged().count("event=relay.scanned") > scans, 60,
          "the table is read again")
    shop.order("k2")
    shop.arrived()
    count = "SELECT count(*) FROM outbox_relay.outbox_retry"
    until(lambda: shop.sql(count) != [(0,)], 60, "put aside")
    assert daemon.stop() == 0
    assert shop.sql(count) == [(1,)]


def test_letters_that_are_locked_hold_up_no_stop(shop, relay):
    daemon = relay(topic_wait="0s")
    other = locked_letters(shop)
    shop.order("k", kind="Missing")
    until(lambda: "event=relay.letters_locked" in daemon.logged(), 60, "told")
    assert daemon.stop() == 0
    other.close()
    relay(topic_wait="0s").wait_metric(1, "relay_letters_total")


def blocked_and_decided(shop, daemon, mode):
    """A key whose letter is discarded while the rows behind it are locked; of
    those."""
    topic = f"{shop.prefix}Missing"
    shop.order("k1", kind="Missing")
    daemon.wait_metric(1, "relay_letters_total")
    rows = [shop.order("k1", kind="Missing") for n in range(2)]
    until(lambda: shop.sql("SELECT count(*) FROM outbox_relay.outbox_retry")
          == [(2,)], 60, "they wait")
    shop.kafka.create(topic)
    other = shop.alone.connect()
    other.autocommit = False
    with other.cursor() as cur:
        cur.execute(f"LOCK TABLE outbox_relay.outbox_retry IN {mode} MODE")
    shop.sql("INSERT INTO outbox_relay.letter_states (letter_id, state, actor, "
             "reason) SELECT letter_id, 'discarded', 'ann', 'r' "
             "FROM outbox_relay.dead_letters")
    return topic, rows, other


@pytest.mark.parametrize("mode", ["ACCESS EXCLUSIVE", "SHARE"])
def test_rows_behind_letters_that_are_locked_hold_up_no_event(shop, relay,
                                                              mode):
    """They cannot be read, or are sent and cannot be taken out."""
    daemon = relay(topic_wait="0s")
    topic, rows, other = blocked_and_decided(shop, daemon, mode)
    if mode == "SHARE":
        until(lambda: shop.ids(topic) == rows, 60, "they are read")
    until(lambda: "event=relay.waiting_locked" in daemon.logged(), 60, "told")
    shop.order("k2")
    shop.arrived()
    other.close()
    until(lambda: shop.sql("SELECT count(*) FROM outbox_relay.outbox_retry")
          == [(0,)], 60, "they are taken out")
    rows.append(shop.order("k1", kind="Missing"))
    until(lambda: len(shop.ids(topic)) == 3, 60, "and the next")
    assert shop.ids(topic) == rows
    assert daemon.metric("relay_streams_total") == 1
    assert "event=relay.session_lost" not in daemon.logged()
    assert daemon.logged().count("event=relay.waiting_locked") == 1
