"""market.trades into trades_public: one row a trade however often it comes."""

from ledger_kit import public_trade as trade

DAY = 86400


def test_trades_delivered_again_add_no_row(ledger, kafka):
    writer = ledger.writer()
    trades = [trade(n) for n in range(500)]
    kafka.produce(ledger.trades, trades)
    kafka.produce(ledger.trades, trades[:200])
    kafka.produce(ledger.trades, trades[100:300] * 2)
    ledger.wait_consumed(1100, topic=ledger.trades)
    assert ledger.value("SELECT count(*) FROM trades_public") == 500
    row = ledger.rows("SELECT price, size, asset FROM trades_public LIMIT 1")
    assert row == [("0.57", "1234.567891", "9" * 78)]
    writer.wait_metric(500, "ledger_trades_total", result="stored")
    writer.wait_metric(600, "ledger_trades_total", result="known")


def test_trades_that_cannot_be_read_are_parked(ledger, kafka):
    ledger.writer()
    bad = [("k", "{"), ("k", "[]"), trade(1, side="buy"),
           trade(2, price=0.5), trade(3, price="-1"), trade(4, wallet="0x1"),
           trade(5, traded_at="yesterday"), trade(6, trade_id="xyz"),
           trade(7, asset="1" * 79), trade(8, 2 * DAY)]
    kafka.produce(ledger.trades, bad + [trade(100)])
    ledger.wait_consumed(len(bad) + 1, topic=ledger.trades)
    assert ledger.value("SELECT count(*) FROM trades_public") == 1
    rows = ledger.rows("SELECT error_class, reason FROM rejected "
                       "WHERE topic = %s", ledger.trades)
    assert len(rows) == len(bad) and {r[0] for r in rows} == {"invalid"}
    assert any("side" in r[1] for r in rows)
    ledger.check_numbers()


def test_a_late_trade_gets_its_day_and_a_too_late_one_is_parked(ledger, kafka):
    writer = ledger.writer()
    kafka.produce(ledger.trades, [trade(1, -20 * DAY), trade(2, -25 * DAY),
                                  trade(3, -40 * DAY), trade(4)])
    ledger.wait_consumed(4, topic=ledger.trades)
    assert ledger.value("SELECT count(*) FROM trades_public") == 3
    assert ledger.rows("SELECT error_class FROM rejected") == [
        ("trade_expired",)]
    writer.wait_metric(1, "ledger_trades_total", result="expired")


def test_a_trade_that_only_postgresql_refuses_is_parked_alone(ledger, kafka):
    ledger.writer()
    ledger.db.cursor().execute(
        "ALTER TABLE trades_public ADD CONSTRAINT surprise "
        "CHECK (outcome <> 'bad')")
    kafka.produce(ledger.trades, [trade(n) for n in range(150)]
                  + [trade(900, outcome="bad")]
                  + [trade(n) for n in range(150, 300)])
    ledger.wait_consumed(301, topic=ledger.trades)
    assert ledger.value("SELECT count(*) FROM trades_public") == 300
    assert ledger.rows("SELECT error_class, sqlstate FROM rejected") == [
        ("poison", "23514")]
    ledger.check_numbers()
