"""What makes hot rows slow is measured, named, and has its mending in the log."""

import pathlib
import re
import signal
import subprocess

import psycopg2
import yaml

from harness.wait import until
from ledger_kit import Ledger, transfer

RULES = pathlib.Path(__file__).resolve().parents[3] / "deploy/prometheus"


def test_an_old_snapshot_and_a_missing_partition_are_noticed(ledger):
    with ledger.db.cursor() as cur:
        cur.execute(
            "SELECT ch.partition_name('outbox', "
            "(now() AT TIME ZONE 'UTC')::date + 1)")
        child = cur.fetchone()[0]
    writer = ledger.writer(health_every="1s")

    def missing():
        # the writer makes it when it starts, and then every ten minutes
        with ledger.db.cursor() as cur:
            cur.execute(f"DROP TABLE IF EXISTS ch.{child}")
        return writer.metric("ledger_missing_table_partitions",
                             table="outbox") == 1

    holder = psycopg2.connect(ledger.cell.url("owner", ledger.database))
    try:
        holder.set_session(isolation_level="REPEATABLE READ")
        holder.cursor().execute("SELECT count(*) FROM ch.orgs")
        until(lambda: writer.metric("ledger_oldest_snapshot_seconds") > 10,
              40, "the snapshot's age")
        until(missing, 10, "the missing partition")
        assert writer.metric("ledger_health_faults") >= 2
    finally:
        holder.close()
    log = writer.logged()
    assert re.search(r"event=health .*check=oldest_snapshot_seconds "
                     r".*pg_terminate_backend", log)
    assert re.search(r"event=health .*check=missing_partitions .*outbox.*"
                     r"ensure_partitions", log)
    until(lambda: writer.metric("ledger_oldest_snapshot_seconds") < 10, 20,
          "the snapshot is gone")


def test_upkeep_that_nobody_did_is_noticed(ledger):
    ledger.rows("UPDATE retention SET first_day = current_date - 4, "
                "lowest_day = current_date - 60 RETURNING 1")
    ledger.rows("SELECT ensure_partition('trades_public', current_date - 40)")
    writer = ledger.writer(health_every="1s")
    until(lambda: writer.metric("ledger_books_snapshot_seconds") > 172800,
          20, "the missing snapshot")
    assert writer.metric("ledger_overdue_days", table="trades_public") == 1
    assert writer.metric("ledger_overdue_days", table="command_log") == 0
    log = until(lambda: "overdue_days" in writer.logged() and writer.logged(),
                20, "the log")
    for check in ("books_snapshot_seconds", "overdue_days"):
        assert re.search(rf"event=health .*check={check} .*upkeep", log)


def test_what_waits_is_told_while_postgresql_is_away(
        cell, kafka, daemons, server_of):
    server = server_of(cell)
    ledger = Ledger.on(server, kafka, daemons)
    writer = ledger.writer()
    ledger.open_books()
    ledger.wait_consumed(5)
    until(lambda: writer.metric("ledger_lag_records") == 0
          and "\nledger_clock_offset_seconds " in writer.get("/metrics")[1],
          20, "nothing waits")
    ledger.db.close()
    server.process.send_signal(signal.SIGQUIT)
    server.process.wait(30)
    until(lambda: writer.metric("ledger_partitions_owned") == 0, 30,
          "no partition is owned")
    assert "\nledger_clock_offset_seconds " not in writer.get("/metrics")[1]
    for sent in (100, 200):
        ledger.send(*[transfer("house", "a", "1.00") for _ in range(100)])
        until(lambda: writer.metric("ledger_lag_records") == sent, 30,
              f"{sent} records wait")
    until(lambda: writer.metric("ledger_oldest_pending_seconds") > 2, 30,
          "for some seconds")
    assert writer.metric("ch_ready") == 0
    server.start()
    until(lambda: writer.metric("ledger_partitions_owned") == 12, 60,
          "all is owned again")
    until(lambda: writer.metric("ledger_lag_records") == 0
          and writer.metric("ledger_oldest_pending_seconds") == 0, 60,
          "nothing waits")


def test_the_alerts_fire_when_they_should():
    subprocess.run(["promtool", "check", "rules",
                    RULES / "ledger-writer.rules.yml"], check=True)
    subprocess.run(["promtool", "test", "rules",
                    RULES / "ledger-writer.test.yml"], check=True)


def test_each_alert_has_a_case_in_which_it_fires():
    rules = yaml.safe_load((RULES / "ledger-writer.rules.yml").read_text())
    cases = yaml.safe_load((RULES / "ledger-writer.test.yml").read_text())
    fires = {c["alertname"] for t in cases["tests"]
             for c in t["alert_rule_test"] if c["exp_alerts"]}
    quiet = {c["alertname"] for t in cases["tests"]
             for c in t["alert_rule_test"] if not c["exp_alerts"]}
    alerts = {r["alert"] for g in rules["groups"] for r in g["rules"]}
    assert alerts - fires == set()
    assert alerts - quiet == set()


def test_every_metric_of_an_alert_is_one_of_the_writer():
    names = {n.removesuffix("_bucket") for n in re.findall(
        r"\b(ledger_[a-z_]+)", (RULES / "ledger-writer.rules.yml").read_text())
        if n != "ledger_writer"}
    known = (pathlib.Path(RULES).parents[1]
             / "docs/reference/ledger-writer.md").read_text()
    assert names
    assert [n for n in sorted(names) if f"`{n}`" not in known] == []


def test_each_check_is_shown_and_no_writer_moves_the_mark_of_another(ledger):
    writers = [ledger.writer(health_every="1s", client_id=f"writer-{i}")
               for i in range(2)]
    checks = ledger.rows("SELECT name, bool_and(ok) FROM ch.health('test') "
                         "GROUP BY 1")
    for writer in writers:
        for name, table in (("dead_rows", "holds"), ("sequential_scans",
                            "postings"), ("hot_update_ratio", "balances")):
            until(lambda: writer.metric("ledger_health_ok", check=name,
                                        table=table) == 1, 20, name)
        text = writer.get("/metrics")[1]
        assert [n for n, _ in checks
                if f'ledger_health_ok{{check="{n}"' not in text] == []
    lookers = ledger.rows("SELECT DISTINCT looker FROM health_marks "
                          "WHERE looker <> 'test' ORDER BY 1")
    assert lookers == [("writer-0",), ("writer-1",)]
