"""What readers see: their organisation in every table, partition and view
that they may read at all, and nothing of another. Relations are enumerated
from pg_class, so that one made later is judged too."""

import io
import uuid

import psycopg2
import pytest

from schema_rows import Rows

# two names that occur in nothing else
ACME, ZORG = "acme-q7", "zorg-q7"


@pytest.fixture
def role(cell, database):
    """Makes login roles, and drops them with the test."""
    made = []
    superuser = psycopg2.connect(cell.url("superuser", database))
    superuser.autocommit = True
    cur = superuser.cursor()

    def make(options=""):
        made.append("r_" + uuid.uuid4().hex[:12])
        cur.execute(f"CREATE ROLE {made[-1]} LOGIN {options}")
        return made[-1]
    yield make
    for name in made:
        cur.execute(f"DROP OWNED BY {name}")
        cur.execute(f"DROP ROLE {name}")
    superuser.close()


@pytest.fixture
def enter(cell, database):
    """enter(role): a connection over the socket as that role."""
    opened = []

    def connect(name):
        db = psycopg2.connect(cell.url("superuser", database).replace(
            "//postgres@", f"//{name}@"))
        db.autocommit = True
        opened.append(db)
        return db
    yield connect
    for db in opened:
        db.close()


@pytest.fixture
def orgs(db):
    return Rows(db, ACME).everything(), Rows(db, ZORG).everything()


@pytest.fixture
def reader(orgs, role, enter, operator):
    """A connection that reads acme-q7."""
    name = role()
    operator.cursor().execute("SELECT ch.add_reader(%s, %s, 'me', 'test')",
                              (name, ACME))
    return enter(name)


@pytest.fixture
def operator(cell, database):
    db = cell.connect("operator", database)
    yield db
    db.close()


def rows_of(db, relation):
    """Its rows as text, or None when it is refused."""
    with db.cursor() as cur:
        try:
            cur.execute(f"SELECT r::text FROM {relation} r")
        except psycopg2.errors.InsufficientPrivilege:
            return None
        return [text for (text,) in cur.fetchall()]


def relations(db, where="true"):
    with db.cursor() as cur:
        cur.execute(
            "SELECT c.oid::regclass::text, c.relispartition FROM pg_class c "
            "WHERE c.relnamespace IN (SELECT oid FROM pg_namespace WHERE "
            "nspname IN ('ch', 'ch_read')) AND c.relkind IN "
            f"('r', 'p', 'v', 'm', 'f') AND {where} ORDER BY 1")
        return cur.fetchall()


HAS_ORG = ("EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND "
           "a.attname = 'org_id' AND NOT a.attisdropped) "
           "AND c.relkind IN ('r', 'p') AND NOT c.relispartition")


def test_both_organisations_have_rows_in_every_table_that_can_hold_some(
        db, orgs):
    # else the next test would prove nothing of such a table
    for table, _ in relations(db, HAS_ORG):
        if table == "reader_orgs" or table.startswith("snapshot"):
            continue
        with db.cursor() as cur:
            cur.execute(f"SELECT count(*) FILTER (WHERE org_id = %s), "
                        f"count(*) FILTER (WHERE org_id = %s) FROM {table}",
                        (orgs[0].org_id, orgs[1].org_id))
            assert min(cur.fetchone()) > 0, table


def test_a_reader_sees_no_row_of_another_organisation_anywhere(
        db, orgs, reader):
    seen = refused = 0
    for relation, partition in relations(db):
        relation = relation if "." in relation else f"ch.{relation}"
        rows = rows_of(reader, relation)
        if rows is None:
            refused += 1
            continue
        assert not partition, f"{relation}: partitions are refused"
        seen += 1
        for row in rows:
            assert ZORG not in row, relation
    assert seen > 30 and refused > 30

    with reader.cursor() as cur:
        for relation, _ in relations(db, HAS_ORG):
            try:
                cur.execute(f"SELECT count(*), count(*) FILTER (WHERE org_id "
                            f"IS DISTINCT FROM %s) FROM ch.{relation}",
                            (orgs[0].org_id,))
            except psycopg2.errors.InsufficientPrivilege:
                continue
            total, other = cur.fetchone()
            assert (total > 0, other) == (True, 0), relation


def test_every_view_for_readers_shows_rows(orgs, reader, db):
    for view, _ in relations(db, "c.relnamespace = 'ch_read'::regnamespace"):
        assert rows_of(reader, view), view


def test_a_reader_may_change_nothing(db, orgs, reader):
    with reader.cursor() as cur:
        for relation, _ in relations(db, "c.relkind IN ('r', 'p')"):
            for verb in ("DELETE FROM ch.{}", "TRUNCATE ch.{}",
                         "INSERT INTO ch.{} DEFAULT VALUES"):
                with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                    cur.execute(verb.format(relation))
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cur.execute("SET row_security = off; SELECT * FROM ch.accounts")


def test_functions_with_the_owners_rights_are_closed_to_readers(db):
    # those that readers may call, and why
    allowed = {
        "readable_orgs": "the policies call it; about the session's own roles",
        "readable_org_names": "as readable_orgs",
    }
    with db.cursor() as cur:
        cur.execute(
            "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace IN "
            "('ch'::regnamespace, 'ch_read'::regnamespace) AND "
            "has_function_privilege('ch_reader', oid, 'execute')")
        assert {name for (name,) in cur.fetchall()} == set(allowed)


def test_functions_with_the_owners_rights_are_the_owners_and_only_granted(db):
    with db.cursor() as cur:
        # where a caller's own tables and functions come last, and nobody runs
        # one without a grant; all of another owner would have other rights
        cur.execute("SELECT p.oid::regprocedure::text, p.proconfig, p.proowner "
                    "= n.nspowner FROM pg_proc p JOIN pg_namespace n ON n.oid "
                    "= p.pronamespace WHERE p.prosecdef AND n.nspname IN "
                    "('ch', 'ch_read') ORDER BY 1")
        found = cur.fetchall()
        assert len(found) > 40
        safe = "search_path=ch, pg_temp"
        assert [(f, config) for f, config, _ in found
                if [c for c in config or [] if c.startswith("search_path")]
                != [safe]] == []
        assert [f for f, _, owners in found if not owners] == []
        cur.execute("SELECT p.oid::regprocedure::text FROM pg_proc p, "
                    "aclexplode(coalesce(p.proacl, acldefault('f', "
                    "p.proowner))) x WHERE p.prosecdef AND x.grantee = 0 AND "
                    "p.pronamespace IN ('ch'::regnamespace, "
                    "'ch_read'::regnamespace) ORDER BY 1")
        assert cur.fetchall() == []


def test_the_setting_narrows_and_never_widens(orgs, role, enter, operator):
    both = role()
    with operator.cursor() as cur:
        for org in (ACME, ZORG):
            cur.execute("SELECT ch.add_reader(%s, %s, 'me', 'test')",
                        (both, org))
        assert cur.fetchone() == ([ACME, ZORG],)
    with enter(both).cursor() as cur:
        def orgs_seen():
            cur.execute("SELECT array_agg(DISTINCT org ORDER BY org) FROM "
                        "ch_read.accounts")
            return cur.fetchone()[0]
        assert orgs_seen() == [ACME, ZORG]
        cur.execute(f"SET ch.org = '{ZORG}'")
        assert orgs_seen() == [ZORG]
        cur.execute("SET ch.org = 'nobody'")
        assert orgs_seen() is None
        cur.execute("RESET ch.org")
        assert orgs_seen() == [ACME, ZORG]
    with operator.cursor() as cur:
        cur.execute("SELECT ch.remove_reader(%s, %s, 'me', 'left')",
                    (both, ACME))
        assert cur.fetchone() == ([ZORG],)
        cur.execute("SELECT action, before, after, reason FROM "
                    "ch.audit_events WHERE subject = %s ORDER BY event_id",
                    (both,))
        assert cur.fetchall() == [
            ("add_reader", [], [ACME], "test"),
            ("add_reader", [ACME], [ACME, ZORG], "test"),
            ("remove_reader", [ACME, ZORG], [ZORG], "left")]
    with enter(both).cursor() as cur:
        assert rows_of(enter(both), "ch.orgs") == [
            f"({orgs[1].org_id},{ZORG})"]


def test_a_dry_run_of_a_reader_changes_nothing(orgs, role, operator):
    who = role()

    def ask(text, *args):
        with operator.cursor() as cur:
            cur.execute(text, args or None)
            return cur.fetchone()[0]

    def state():
        return (ask("SELECT ch.orgs_read_by(%s::regrole)", who),
                ask("SELECT count(*) FROM ch.audit_events WHERE subject = %s",
                    who))
    add, remove = (f"SELECT ch.{verb}_reader(%s, %s, 'me', 'x'" for verb in (
        "add", "remove"))
    dry = ", dry_run => true)"
    assert ask(add + dry, who, ACME) == [ACME]
    assert state() == ([], 0)
    ask(add + ")", who, ACME)
    assert ask(add + dry, who, ZORG) == [ACME, ZORG]
    assert ask(remove + dry, who, ACME) == []
    with pytest.raises(psycopg2.errors.NoDataFound):
        ask(remove + dry, who, ZORG)
    assert state() == ([ACME], 1)
    assert ask(remove + ")", who, ACME) == []
    assert state() == ([], 2)


def test_a_reader_learns_nothing_about_other_roles(orgs, reader, role,
                                                   operator, db):
    other = role()
    operator.cursor().execute("SELECT ch.add_reader(%s, %s, 'me', 'test')",
                              (other, ZORG))
    with reader.cursor() as cur:
        cur.execute("SELECT ch.readable_orgs(%s), "
                    "ch.readable_orgs('ch_operator')", (other,))
        assert cur.fetchone() == ([], [])
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cur.execute("SELECT ch.add_reader(current_user, %s, 'me', 'x')",
                        (ZORG,))
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cur.execute(f"SET ROLE {other}")


def test_members_of_a_readers_role_inherit_no_organisation(
        orgs, reader, role, enter, cell, database):
    member = role()
    with psycopg2.connect(cell.url("superuser", database)) as db:
        with db.cursor() as cur:
            cur.execute(f"GRANT ch_reader TO {member}")
    assert rows_of(enter(member), "ch.accounts") == []
    assert rows_of(enter("ch_reader"), "ch.accounts") == []


def test_who_may_not_become_a_reader(orgs, role, operator):
    with operator.cursor() as cur:
        for name, org, reason in (
                (role("BYPASSRLS"), ACME, "x"), (role("SUPERUSER"), ACME, "x"),
                (role("NOINHERIT"), ACME, "x"), ("ch_reader", ACME, "x"),
                ("ch_writer", ACME, "x"), ("ch_owner", ACME, "x"),
                (role("IN ROLE ch_operator"), ACME, "x"),
                ("nobody_here", ACME, "x"), (role(), "no-such-org", "x"),
                (role(), ACME, "")):
            with pytest.raises(psycopg2.Error):
                cur.execute("SELECT ch.add_reader(%s, %s, 'me', %s)",
                            (name, org, reason))
        cur.execute("SELECT count(*) FROM ch.reader_orgs")
        assert cur.fetchone() == (0,)


def test_the_writers_copy_passes_on_every_table_with_row_security(
        cell, database, db):
    # fed no row: whether COPY FROM is allowed at all is decided before
    with db.cursor() as cur:
        cur.execute("SELECT oid::regclass::text FROM pg_class WHERE "
                    "relrowsecurity AND has_table_privilege('ch_writer', oid, "
                    "'insert') AND relnamespace = 'ch'::regnamespace")
        tables = [t for (t,) in cur.fetchall()]
    assert len(tables) >= 18
    writer = cell.connect("writer", database)
    with writer.cursor() as cur:
        for table in tables:
            cur.copy_expert(f"COPY {table} FROM STDIN", io.StringIO(""))
    writer.close()


@pytest.mark.parametrize("service", [
    "relay", "reconciler", "operator", "cache"])
def test_services_without_bypassrls_see_everything(orgs, db, role, enter,
                                                   service):
    # a missing attribute must never be an empty answer
    plain = enter(role(f"IN ROLE ch_{service}"))
    for relation, _ in relations(db, "c.relrowsecurity AND "
                                 "has_table_privilege('ch_" + service +
                                 "', c.oid, 'select')"):
        assert len(rows_of(plain, f"ch.{relation}")) == \
            len(rows_of(db, relation)), relation


APPEND_ONLY = ("postings", "command_log", "answers", "rejected", "outbox",
               "reversals", "audit_events", "order_fills")


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("statement", [
    "UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {}"])
def test_nobody_but_the_owner_changes_what_is_append_only(
        cell, database, db, enter, table, statement):
    with db.cursor() as cur:
        cur.execute("SELECT attname FROM pg_attribute WHERE attrelid = "
                    "%s::regclass AND attnum = 2", (table,))
        column = cur.fetchone()[0]
    for service in ("writer", "relay", "reconciler", "cache", "operator",
                    "reader"):
        with enter(f"ch_{service}").cursor() as cur:
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cur.execute(statement.format(f"ch.{table}", column, column))


def test_no_partition_is_granted_to_anybody(db):
    with db.cursor() as cur:
        cur.execute("SELECT c.oid::regclass FROM pg_class c, "
                    "aclexplode(c.relacl) x WHERE c.relispartition AND "
                    "c.relnamespace = 'ch'::regnamespace AND "
                    "x.grantee <> c.relowner")
        assert cur.fetchall() == []


def test_another_organisations_settlement_takes_no_trades_out_of_the_feed(
        db, orgs, reader):
    for rows, market in zip(orgs, ("mine", "theirs")):
        rows.put("trades_public", trade_id=market.ljust(32).encode(),
                 traded_at=rows.at(), condition_id=market, asset="1",
                 wallet="0x", side="BUY", price="0.5", size="1", tx_hash="0x",
                 source="trades", stream=1, src_offset=1, batch=1)
        rows.market(market, "settled", "bank")
    with db.cursor() as cur:
        cur.execute("UPDATE ledger_markets SET last_at = now() - "
                    "interval '8 days' WHERE state = 'settled'")
        cur.execute("SELECT condition_id FROM trades_feed")
        assert cur.fetchall() == []
    with reader.cursor() as cur:
        cur.execute("SELECT condition_id FROM ch.trades_feed")
        assert cur.fetchall() == [("theirs",)]


# Indexes of tables with an organisation whose first column is another, and why
NOT_BY_ORGANISATION = {
    "orgs_name_key": "finds the number of an organisation by its name",
    "command_log_stream": "relay and reconciler read a partition's log in "
                          "order, whatever the organisation",
    "answers_stream": "as command_log_stream",
    "answers_decided": "BRIN: answers to an id that has no index",
    "reservations_due_stream": "a partition's owner sweeps what is due there",
    "holds_due_stream": "as reservations_due_stream",
    "ledger_markets_settling": "a partition's owner pays the pages there",
    "ledger_markets_resolved": "the feed of trades is of no organisation",
    "postings_batch": "BRIN: the reconciler reads what is new since a batch",
    "ledger_buckets_pkey": "generation first: two are kept side by side",
    "rate_rules_pkey": "a rule may be for every organisation",
    "rate_rules_name_key": "rules are named across organisations",
    "reader_orgs_pkey": "looked up by role: it says which organisations",
}


def test_the_organisation_stands_first_in_every_index(db):
    with db.cursor() as cur:
        cur.execute(
            "SELECT c.relname, a.attname FROM pg_index i "
            "JOIN pg_class c ON c.oid = i.indexrelid "
            "LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid "
            "AND a.attnum = i.indkey[0] WHERE NOT c.relispartition "
            "AND c.relname NOT LIKE 'snapshot%' "  # by snapshot, then these
            "AND c.relnamespace = 'ch'::regnamespace AND EXISTS (SELECT FROM "
            "pg_attribute o WHERE o.attrelid = i.indrelid AND "
            "o.attname = 'org_id' AND NOT o.attisdropped)")
        indexes = dict(cur.fetchall())
    assert {n for n, first in indexes.items() if first != "org_id"} == \
        set(NOT_BY_ORGANISATION)


# Tables whose key says nothing of an organisation that their rows have.
KEYLESS = {
    "postings": "insert-only, no key: (batch, pos, leg) is unique by the "
                "writer, and a key would cost each posting an index",
    "answers": "insert-only; org_id is NULL where none could be read",
    "rate_rules": "a rule may be for every organisation",
    "ledger_buckets": "generation first",
    "reader_orgs": "by role",
}


def test_every_table_with_an_organisation_has_it_first_in_its_key(db):
    with db.cursor() as cur:
        cur.execute(
            "SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'p') "
            "AND c.relname NOT LIKE 'snapshot%' AND NOT c.relispartition AND c.relnamespace = 'ch'::regnamespace "
            "AND EXISTS (SELECT FROM pg_attribute o WHERE o.attrelid = c.oid "
            "AND o.attname = 'org_id' AND NOT o.attisdropped) AND NOT EXISTS "
            "(SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid"
            " AND a.attnum = i.indkey[0] WHERE i.indrelid = c.oid "
            "AND i.indisprimary AND a.attname = 'org_id')")
        assert {t for (t,) in cur.fetchall()} == set(KEYLESS)
