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


def told(writer, check, text):
    """Its log has the check's line."""
    until(lambda: re.search(rf"event=health .*check={check} {text}",
                            writer.logged()), 60, f"the log tells of {check}")


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
              60, "the snapshot's age")
        until(missing, 60, "the missing partition")
        until(lambda: writer.metric("ledger_health_faults") >= 2, 60,
              "the number of faults")
    finally:
        holder.close()
    told(writer, "oldest_snapshot_seconds", ".*pg_terminate_backend")
    told(writer, "missing_partitions", ".*outbox.*ensure_partitions")
    until(lambda: writer.metric("ledger_oldest_snapshot_seconds") < 10, 60,
          "the snapshot is gone")


def test_upkeep_that_nobody_did_is_noticed(ledger):
    ledger.rows("UPDATE retention SET first_day = current_date - 4, "
                "lowest_day = current_date - 60 RETURNING 1")
    ledger.rows("SELECT ensure_partition('trades_public', current_date - 40)")
    writer = ledger.writer(health_every="1s")
    until(lambda: writer.metric("ledger_books_snapshot_seconds") > 172800,
          60, "the missing snapshot")
    writer.wait_metric(1, "ledger_overdue_days", table="trades_public")
    assert writer.metric("ledger_overdue_days", table="command_log") == 0
    for check in ("books_snapshot_seconds", "overdue_days"):
        told(writer, check, ".*upkeep")


def test_what_waits_is_told_while_postgresql_is_away(
        cell, kafka, daemons, server_of):
    server = server_of(cell)
    ledger = Ledger.on(server, kafka, daemons)
    writer = ledger.writer()
    ledger.open_books()
    ledger.wait_consumed(5)
    until(lambda: writer.metric("ledger_lag_records") == 0
          and "\nledger_clock_offset_seconds " in writer.get("/metrics")[1],
          60, "nothing waits")
    ledger.db.close()
    server.process.send_signal(signal.SIGQUIT)
    server.process.wait(30)
    writer.wait_metric(0, "ledger_partitions_owned")
    until(lambda: "\nledger_clock_offset_seconds " not in writer.get(
        "/metrics")[1], 60, "no clock is compared")
    for sent in (100, 200):
        ledger.send(*[transfer("house", "a", "1.00") for _ in range(100)])
        writer.wait_metric(sent, "ledger_lag_records")
    until(lambda: writer.metric("ledger_oldest_pending_seconds") > 2, 60,
          "for some seconds")
    writer.wait_metric(0, "ch_ready")
    server.start()
    writer.wait_metric(12, "ledger_partitions_owned")
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
    names = {re.sub("_(bucket|sum|count)$", "", n) for n in re.findall(
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
                                        table=table) == 1, 60, name)
        until(lambda: all(f'ledger_health_ok{{check="{n}"'
                          in writer.get("/metrics")[1] for n, _ in checks),
              60, f"each of {checks}")
    until(lambda: ledger.rows(
        "SELECT DISTINCT looker FROM health_marks WHERE looker <> 'test' "
        "ORDER BY 1") == [("writer-0",), ("writer-1",)], 60, "their marks")
